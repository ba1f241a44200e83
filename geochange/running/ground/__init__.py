"""The ground of a run: its pixels as the network takes them, and what stands there."""
