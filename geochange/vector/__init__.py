"""VECTOR: regions of change become polygons, and polygons become files (shapely, pyogrio)."""
