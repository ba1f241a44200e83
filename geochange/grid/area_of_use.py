"""Area of use: whether the pixels of a grid lie where their CRS has places on the Earth.

A CRS is asked for the longitudes and latitudes of points of the grid, and for the way back. The area
of use that EPSG notes decides nothing: maps are good far beyond it, and are used there.
"""

from __future__ import annotations

from functools import lru_cache
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import ProjError

from geochange.grid.crs import (
    authority_of,
    central_x,
    equator_m,
    full_turn,
    geographic_of,
    metres_of,
    radians_of,
    to_geographic,
)
from geochange.grid.grid import Grid

Floats = NDArray[np.float64]

LARGEST_PIXEL = 2 * pi / 64
"""No pixel is wider than this on the ground, radians: 626 km; climate models have 5 degrees."""

MAX_SCALE = 100
"""A map that shows the ground so many times too large is none: Mercator does at latitude 89.4."""

SAMPLES = 9
"""A grid is asked for so many rows and columns of points, its edges among them."""

RIM_MARGIN = 0.05
"""Pictures of the whole Earth go beyond its rim by this share of its size at most."""

FAR_DEG = 15
"""Beyond the area of use of a CRS by more than this, a word is said."""


def explain_outside(grid: Grid) -> str | None:
    """What is wrong with the place of a grid, in words that follow its name; None if it is right."""
    pixel_m = max(grid.pixel_size) * metres_of(grid.crs)
    if pixel_m > LARGEST_PIXEL * equator_m(grid.crs):
        return f"has pixels of {pixel_m / 1000:,.0f} km"
    return _explain_too_far(grid) or _explain_off_earth(grid)


def is_far_from_area_of_use(grid: Grid) -> bool:
    """Whether all of a grid lies far from the area that its CRS is meant for."""
    use, lonlat = _area_of_use(grid.crs), _lonlat(grid, _points(grid))
    if use is None or lonlat is None or not np.isfinite(lonlat).all():
        return False
    lon, lat = _degrees(grid, lonlat)
    # Some areas of use go over 180 degrees; their west is the greater one.
    width = (use.east - use.west) % 360 or 360.0
    inside = ((lon - use.west + FAR_DEG) % 360 <= width + 2 * FAR_DEG) & (
        (lat >= use.south - FAR_DEG) & (lat <= use.north + FAR_DEG)
    )
    return not inside.any()


@lru_cache(64)
def _area_of_use(crs: CRS) -> Any:
    """Where a CRS is meant for, as its authority says: GeoTIFF keeps no more than its code."""
    authority = authority_of(crs)
    return CRS.from_authority(*authority).area_of_use if authority else None


def _explain_too_far(grid: Grid) -> str | None:
    """Latitudes beyond the poles, and more than one turn round the Earth."""
    crs, turn = grid.crs, full_turn(grid.crs)
    if turn is None:
        return None
    height, width = grid.pixel_size
    west, east = grid.span
    _, south, _, north = grid.footprint().bounds
    if crs.is_geographic and max(north, -south) > turn / 4 + height:
        return f"reaches from latitude {south:.6g} to {north:.6g}"
    # Longitudes are counted from -180 or from 0; a map has the world once, and may go on at its end.
    most = turn if crs.is_geographic else turn / 2
    middle = central_x(crs)
    is_apart = west > middle + most or east < middle - most
    if is_apart or east - west > turn + 2 * width:
        return f"reaches from x = {west:.6g} to {east:.6g}, more than once round the Earth"
    return None


def _explain_off_earth(grid: Grid) -> str | None:
    """Points that are no place on the Earth, but for those at the rim of a map of the world."""
    points = _points(grid)
    lonlat = _lonlat(grid, points)
    if lonlat is None:
        return None
    known = _round_trips(grid, points, lonlat)
    if not known.all() and not (known.any() and _is_on_map(grid, points)):
        (west, south), (east, north) = points.min(axis=1), points.max(axis=1)
        return (
            f"covers x = {west:.6g} to {east:.6g}, y = {south:.6g} to {north:.6g}, which is no "
            "place on the Earth"
        )
    middle = SAMPLES * SAMPLES // 2
    if known[middle] and _scale_factor(grid) > MAX_SCALE:
        return "lies where its map shows the ground over a hundred times too large"
    return None


def _points(grid: Grid) -> Floats:
    """(2, point) x and y of points all over a grid."""
    rows, cols = np.meshgrid(*(np.linspace(0, size, SAMPLES) for size in grid.shape), indexing="ij")
    a, b, c, d, e, f = grid.transform[:6]
    col, row = cols.ravel(), rows.ravel()
    return np.array([a * col + b * row + c, d * col + e * row + f])


def _lonlat(grid: Grid, points: Floats) -> Floats | None:
    """(2, point) longitudes and latitudes in the units of the CRS; None where it cannot tell."""
    try:
        return np.array(to_geographic(grid.crs).transform(points[0], points[1]))
    except ProjError:
        return None


def _degrees(grid: Grid, lonlat: Floats) -> Floats:
    """(2, point) longitudes and latitudes of a grid's CRS in degrees."""
    return np.asarray(np.degrees(lonlat * radians_of(geographic_of(grid.crs))))


def _round_trips(grid: Grid, points: Floats, lonlat: Floats) -> NDArray[np.bool_]:
    """Which points are found again, to a pixel, from their longitudes and latitudes."""
    way = to_geographic(grid.crs)
    back = np.array(way.transform(lonlat[0], lonlat[1], direction="INVERSE"))
    turn = full_turn(grid.crs)
    with np.errstate(invalid="ignore"):
        off = back - points
        if turn is not None:
            off[0] -= turn * np.round(off[0] / turn)
        near = np.hypot(*off) <= max(grid.pixel_size)
    # Over a pole, where a row of degrees ends, longitudes are lost.
    return np.asarray(near | (np.isfinite(lonlat).all(axis=0) & grid.crs.is_geographic))


def _is_on_map(grid: Grid, points: Floats) -> bool:
    """Whether points lie in the bounds of the whole Earth on a map, or nearly so."""
    least, most = _map_bounds(grid.crs)
    spare = RIM_MARGIN * (most - least) + max(grid.pixel_size)
    inside = (points.min(axis=1) >= least - spare) & (points.max(axis=1) <= most + spare)
    return bool(inside.all())


@lru_cache(64)
def _map_bounds(crs: CRS) -> tuple[Floats, Floats]:
    """The least and the greatest (x, y) of the Earth on a map."""
    unit = radians_of(geographic_of(crs))
    lon, lat = np.meshgrid(np.linspace(-pi, pi, 361) / unit, np.linspace(-pi, pi, 361) / 2 / unit)
    xy = np.array(to_geographic(crs).transform(lon.ravel(), lat.ravel(), direction="INVERSE"))
    xy = xy[:, np.isfinite(xy).all(axis=0)]
    return xy.min(axis=1, initial=np.inf), xy.max(axis=1, initial=-np.inf)


def _scale_factor(grid: Grid) -> float:
    """How many times too large a map shows the ground in the middle of a grid."""
    row, col = grid.shape[0] / 2, grid.shape[1] / 2
    ends = [(col, row - 0.5), (col - 0.5, row), (col, row + 0.5), (col + 0.5, row)]
    lonlat = _lonlat(grid, np.array([grid.transform @ end for end in ends]).T)
    geod = grid.crs.get_geod()
    if lonlat is None or geod is None or not np.isfinite(lonlat).all():
        return 1.0
    lon, lat = _degrees(grid, lonlat)
    _, _, ground_m = geod.inv(lon[:2], lat[:2], lon[2:], lat[2:])
    map_m = float(np.hypot(*grid.pixel_size)) * metres_of(grid.crs)
    return map_m / max(float(np.hypot(*ground_m)), 1e-12)
