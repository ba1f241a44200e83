"""RASTER: the only door to rasters, through rasterio; never torch."""
