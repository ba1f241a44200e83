"""Pictures: overviews and thumbnails of a raster, and PNG, JPEG and TIFF without a CRS."""
