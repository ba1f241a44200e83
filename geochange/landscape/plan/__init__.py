"""The plan of a landscape: what stands where."""
