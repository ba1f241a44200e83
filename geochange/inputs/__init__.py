"""Inputs: opens, checks and inspects the pair and the model that a user names."""
