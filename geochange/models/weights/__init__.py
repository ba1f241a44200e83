"""Weights: found, read without running anything, checked, and written."""
