"""Areas and lengths on the ellipsoid, whatever the CRS."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geochange.grid.grid import Grid, to_ground
from geochange.vector.tracing.polygons import Geometries

Floats = NDArray[np.float64]

CHUNK = 8192
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
    to_degrees = _to_degrees(grid.crs)
    areas: list[float] = []
    lengths: list[float] = []
    for start in range(0, len(polygons), CHUNK):
        part = shapely.segmentize(polygons[start : start + CHUNK], LONGEST_EDGE_PX)
        lonlat = shapely.transform(to_ground(part, grid.transform), to_degrees, interleaved=False)
        lengths += _by_polygon(lonlat, geod.line_length)
        # Outer rings one way round, holes the other.
        lonlat = shapely.normalize(lonlat)
        areas += _by_polygon(lonlat, lambda lon, lat: geod.polygon_area_perimeter(lon, lat)[0])
    return np.abs(np.array(areas, np.float64)), np.array(lengths, np.float64)


def _by_polygon(polygons: Geometries, measure: Callable[[Floats, Floats], float]) -> list[float]:
    """The sum over the rings of each polygon."""
    _, points, (rings, offsets) = shapely.to_ragged_array(list(polygons))
    lon, lat = np.ascontiguousarray(points.T)
    spans = itertools.pairwise(rings.tolist())
    measured = [measure(lon[first:stop], lat[first:stop]) for first, stop in spans]
    return [sum(measured[first:stop]) for first, stop in itertools.pairwise(offsets.tolist())]


def _to_degrees(crs: CRS) -> Callable[[Floats, Floats], tuple[Floats, Floats]]:
    """To longitude and latitude on the CRS's own datum, so that no datum shift enters an area."""
    geographic = crs.geodetic_crs
    transformer = Transformer.from_crs(crs, geographic, always_xy=True)
    degrees = CRS.from_epsg(4326).axis_info[0].unit_conversion_factor
    factor = (geographic or crs).axis_info[0].unit_conversion_factor / degrees

    def move(x: Floats, y: Floats) -> tuple[Floats, Floats]:
        lon, lat = transformer.transform(x, y)
        return (lon, lat) if factor == 1 else (lon * factor, lat * factor)

    return move
