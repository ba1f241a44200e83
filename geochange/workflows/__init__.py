"""WORKFLOWS: one file per command, with its steps from top to bottom."""
