"""Weights: finds, reads, checks and writes files of weights, without running code from them."""
