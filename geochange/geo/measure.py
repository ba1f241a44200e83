"""Areas and lengths on the ellipsoid, whatever the CRS."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geochange.geo.grid import Grid, to_ground
from geochange.geo.polygons import Geometries

CHUNK = 4096
"""Polygons measured at once, copies and all."""

LONGEST_EDGE_PX = 64.0
"""Edges are cut to this length before measuring: a straight line on the map is no geodesic."""


def geodesic(polygons: Geometries, grid: Grid) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(area_m2, perimeter_m) of polygons in pixel coordinates of `grid`.

    Geodesic polygons on the ellipsoid of the grid's CRS (Karney 2013, doi 10.1007/s00190-012-0578-z);
    holes count towards the perimeter and not towards the area.
    """
    geod = grid.crs.get_geod()
    if geod is None:
        raise ValueError(f"{grid.crs.name} has no ellipsoid")
    measured: list[tuple[float, float]] = []
    for start in range(0, len(polygons), CHUNK):
        part = shapely.segmentize(polygons[start : start + CHUNK], LONGEST_EDGE_PX)
        lonlat = _to_degrees(to_ground(part, grid.transform), grid.crs)
        areas = [geod.geometry_area_perimeter(polygon)[0] for polygon in shapely.normalize(lonlat)]
        # The perimeter above leaves holes out.
        lengths = [geod.geometry_length(outline) for outline in shapely.boundary(lonlat)]
        measured += zip(areas, lengths, strict=True)
    table = np.abs(np.array(measured, np.float64).reshape(-1, 2))
    return table[:, 0], table[:, 1]


def _to_degrees(ground: Geometries, crs: CRS) -> Geometries:
    """Longitude and latitude on the CRS's own datum, so that no datum shift enters an area."""
    geographic = crs.geodetic_crs
    transformer = Transformer.from_crs(crs, geographic, always_xy=True)
    degrees = CRS.from_epsg(4326).axis_info[0].unit_conversion_factor
    factor = (geographic or crs).axis_info[0].unit_conversion_factor / degrees
    moved = shapely.transform(ground, transformer.transform, interleaved=False)
    if factor != 1:
        moved = shapely.transform(moved, lambda xy: xy * factor)
    return np.asarray(moved, dtype=np.object_)
