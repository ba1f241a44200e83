"""Rasters that consist of several files: mosaics, band stacks, STAC items, virtual rasters."""
