"""The plan of a run: what it processes, and the memory and disk space that it takes."""
