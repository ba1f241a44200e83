"""MOSAIC: tapers, stores, stitching and the schedule. It imports no networks and no rasterio."""
