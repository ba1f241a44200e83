"""WHERE: grids, rasters, tiles, polygons; never torch."""
