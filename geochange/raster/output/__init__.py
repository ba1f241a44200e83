"""Rasters that a run writes: the probability of change as a cloud-optimised GeoTIFF."""
