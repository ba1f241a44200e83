"""JOINING: tapers, stores, stitching and the schedule; neither torch nor rasterio."""
