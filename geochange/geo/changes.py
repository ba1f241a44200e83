"""From regions in pixels to the table of changes that users open."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import shapely

from geochange.geo.grid import Grid, to_ground
from geochange.geo.measure import geodesic
from geochange.geo.polygons import Regions
from geochange.geo.probability import FULL
from geochange.geo.smooth import smooth
from geochange.geo.vector import empty_changes

SPECK_PX = 16
"""Smallest polygon unless the user says otherwise: what is below 4 x 4 pixels is rarely a thing."""


def to_changes(
    regions: Regions, grid: Grid, simplify_px: float, min_area_m2: float | None
) -> gpd.GeoDataFrame:
    """Polygons on the ground with their attributes, in the order of their first pixels.

    simplify_px: how far outlines may move. min_area_m2: what is smaller is left out; None stands
    for SPECK_PX pixels at the middle of the grid.
    """
    smallest = _speck_m2(grid) if min_area_m2 is None else min_area_m2
    outlines = smooth(regions.polygon, simplify_px)
    area_m2, perimeter_m = geodesic(outlines, grid)
    # A hair of tolerance: exactly the smallest area is not below it.
    kept = np.flatnonzero(area_m2 >= smallest * (1 - 1e-9))
    if len(kept) == 0:
        return empty_changes(grid.crs)
    chosen = regions.take(kept)
    return gpd.GeoDataFrame(
        {
            "id": np.arange(1, len(kept) + 1, dtype=np.int64),
            "area_m2": area_m2[kept],
            "perimeter_m": perimeter_m[kept],
            "confidence_mean": chosen.total / chosen.pixels / FULL,
            "confidence_max": chosen.peak / FULL,
            "touches_edge": chosen.at_edge,
        },
        geometry=to_ground(outlines[kept], grid.transform),
        crs=grid.crs,
    )


def _speck_m2(grid: Grid) -> float:
    row, col = grid.shape[0] // 2, grid.shape[1] // 2
    pixel = np.array([shapely.box(col, row, col + 1, row + 1)], dtype=np.object_)
    return SPECK_PX * float(geodesic(pixel, grid)[0][0])
