"""RUNNING: what `run` does between its first look and its last file, and what it takes to do it."""
