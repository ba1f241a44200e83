"""MOSAIC: tapers, stores, stitching and the schedule; neither torch networks nor rasterio."""
