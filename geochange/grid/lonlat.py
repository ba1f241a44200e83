"""Longitudes and latitudes of outlines and points in any CRS."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geochange.grid.grid import LONLAT, Grid, reproject

TURN = 360.0

FLAT = 1e-5
"""Of its size, how far an outline may bend before it needs another point."""


def outline_of(grid: Grid) -> shapely.Polygon | None:
    """The footprint of a grid in WGS84, or None where it has no image there.

    Over the antimeridian longitudes go on beyond 180.
    """
    outline = reproject(grid.footprint(), grid.crs, LONLAT)
    if not np.isfinite(shapely.get_coordinates(outline)).all():
        return None
    if outline.bounds[2] - outline.bounds[0] > TURN / 2 and not _goes_round(grid):
        outline = shapely.transform(outline, _eastward)
    return outline


def _goes_round(grid: Grid) -> bool:
    """Whether a grid is so wide that both its ends are where they seem to be."""
    if not grid.crs.is_geographic:
        return False
    west, _, east, _ = grid.footprint().bounds
    return bool(east - west > TURN / 2)


def _eastward(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.column_stack(
        [np.where(points[:, 0] < 0, points[:, 0] + TURN, points[:, 0]), points[:, 1]]
    )


def on_the_globe(outline: shapely.Polygon) -> tuple[dict[str, Any], list[float]]:
    """GeoJSON geometry and bbox of an outline, cut at the antimeridian as RFC 7946 has it."""
    size = np.ptp(shapely.get_coordinates(outline), axis=0).max()
    outline = shapely.simplify(outline, FLAT * size)
    outline = shapely.orient_polygons(shapely.set_precision(outline, 1e-8))
    west, south, east, north = map(float, outline.bounds)
    if east <= TURN / 2:
        return dict(shapely.geometry.mapping(outline)), [west, south, east, north]
    half = TURN / 2
    here = shapely.intersection(outline, shapely.box(-half, -90, half, 90))
    beyond = shapely.intersection(outline, shapely.box(half, -90, half + TURN, 90))
    beyond = shapely.transform(beyond, lambda points: points - np.array([TURN, 0]))
    both = shapely.orient_polygons(shapely.multipolygons(shapely.get_parts([here, beyond])))
    return dict(shapely.geometry.mapping(both)), [west, south, east - TURN, north]


def points_in(geometries: Any, crs: CRS) -> list[tuple[float, float] | None]:
    """(longitude, latitude) of a point in each geometry; None where it has no image there."""
    inner = shapely.point_on_surface(np.asarray(geometries, dtype=np.object_))
    points = shapely.get_coordinates(reproject(inner, crs, LONLAT))
    return [(float(x), float(y)) if np.isfinite([x, y]).all() else None for x, y in points]


def size_m(grid: Grid) -> tuple[float, float]:
    """(height, width) of a grid on the ellipsoid, along lines through its middle, in metres."""
    geod = LONLAT.get_geod()
    outline = outline_of(grid)
    if geod is None or outline is None:
        return (0.0, 0.0)
    height, width = grid.shape
    ends = [(width / 2, 0), (width / 2, height), (0, height / 2), (width, height / 2)]
    places = shapely.points([grid.transform @ end for end in ends])
    lon, lat = shapely.get_coordinates(reproject(places, grid.crs, LONLAT)).T
    _, _, lengths = geod.inv(lon[::2], lat[::2], lon[1::2], lat[1::2])
    return float(lengths[0]), float(lengths[1])
