"""GRID: where pixels are. CRS and transform, tiles, windows, blocks; no raster library."""
