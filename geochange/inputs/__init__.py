"""Inputs: the pair and the model that a user names, opened, checked and looked at."""
