"""The work of a run between its first block and its last output."""
