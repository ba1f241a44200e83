"""WORKFLOWS: one story a file, told from top to bottom, for each command."""
