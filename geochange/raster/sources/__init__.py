"""Sources that several files make up: mosaics, band stacks, STAC items, virtual rasters."""
