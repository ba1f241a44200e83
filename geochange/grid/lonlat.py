"""Longitudes and latitudes of outlines and points in any CRS."""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely
from pyproj import CRS

from geochange.grid.common_ground import unrepeated_footprint
from geochange.grid.crs import equator_m, metres_of
from geochange.grid.grid import LONLAT, Grid
from geochange.grid.longitude_wrap import Geometries, copies_in_span, translated_x
from geochange.grid.polygon_parts import polygonal_part
from geochange.grid.transform_geometry import reproject, reproject_areas

TURN = 360.0

BEND_TOLERANCE = 1e-5
"""Of its size, how far an outline may bend before it needs another point."""

DIGITS_DEG = 1e-8
"""About a millimetre: coordinates of GeoJSON are rounded to this."""

Bounds = tuple[float, float, float, float]
"""West, south, east, north; west is the greater one where 180 degrees lie between."""


def outline_in_wgs84(grid: Grid) -> shapely.Polygon | shapely.MultiPolygon | None:
    """The footprint of a grid in WGS84, or None where it has no image there.

    Over the antimeridian longitudes go on beyond 180; over a pole it goes up to latitude 90.
    """
    radius_deg = np.degrees(max(grid.shape) * max(grid.pixel_size) * metres_of(grid.crs))
    fine = BEND_TOLERANCE * float(radius_deg) / equator_m(grid.crs)
    area = np.array([unrepeated_footprint(grid)], dtype=np.object_)
    (outline,) = to_wgs84(area, grid.crs, fine)
    return outline if np.isfinite(shapely.get_coordinates(outline)).all() else None


def to_wgs84(areas: Geometries, crs: CRS, fine_deg: float = np.inf) -> Geometries:
    """Areas in WGS84, each in one piece that begins between -180 and 180.

    fine_deg: how far edges may lie from where they belong, which bend.
    """
    moved = reproject_areas(areas, crs, LONLAT, fine_deg)
    west, south, east, north = shapely.bounds(moved).T
    with np.errstate(invalid="ignore"):
        beyond = (west < -TURN / 2) | (east > TURN / 2) | (south < -90) | (north > 90)
    moved = moved.copy()
    for number in np.flatnonzero(beyond & np.isfinite(west)):
        turns = np.floor((west[number] + TURN / 2) / TURN)
        moved[number] = shapely.transform(
            translated_x(moved[number], -turns * TURN),
            lambda points: np.column_stack([points[:, 0], points[:, 1].clip(-90, 90)]),
        )
    return moved


def bounds_of(area: shapely.Geometry) -> Bounds:
    """The bounding box of an area in degrees, as RFC 7946 (section 5.2) and STAC have it."""
    west, south, east, north = map(float, area.bounds)
    if east - west >= TURN - DIGITS_DEG:
        return -TURN / 2, south, TURN / 2, north
    return _wrap_longitude(west), south, _wrap_longitude(east), north


def _wrap_longitude(lon: float) -> float:
    """A longitude from -180 to 180."""
    return lon if abs(lon) <= TURN / 2 else (lon + TURN / 2) % TURN - TURN / 2


def cut_at_180(area: shapely.Geometry) -> shapely.Geometry:
    """An area in degrees, in parts none of which crosses 180 degrees (RFC 7946, section 3.1.9)."""
    west, _, east, _ = area.bounds
    if west >= -TURN / 2 and east <= TURN / 2:
        return shapely.orient_polygons(area)
    globe = shapely.box(-TURN / 2, -90, TURN / 2, 90)
    parts = [
        shapely.intersection(copy, globe)
        for copy in copies_in_span(area, TURN, (-TURN / 2, TURN / 2))
    ]
    return shapely.orient_polygons(polygonal_part(shapely.union_all(parts, grid_size=DIGITS_DEG)))


def to_geojson(outline: shapely.Geometry) -> tuple[dict[str, Any], list[float]]:
    """GeoJSON geometry and bbox of an outline, cut at the antimeridian as RFC 7946 has it."""
    size = np.ptp(shapely.get_coordinates(outline), axis=0).min()
    outline = shapely.set_precision(shapely.simplify(outline, BEND_TOLERANCE * size), DIGITS_DEG)
    return dict(shapely.geometry.mapping(cut_at_180(outline))), list(bounds_of(outline))


def representative_points(geometries: Any, crs: CRS) -> list[tuple[float, float] | None]:
    """(longitude, latitude) of a point in each geometry; None where it has no image there."""
    inner = shapely.point_on_surface(np.asarray(geometries, dtype=np.object_))
    points = shapely.get_coordinates(reproject(inner, crs, LONLAT))
    return [
        (_wrap_longitude(float(x)), float(y)) if np.isfinite([x, y]).all() else None
        for x, y in points
    ]


def size_m(grid: Grid) -> tuple[float, float]:
    """(height, width) of a grid on the ellipsoid, along lines through its middle, in metres."""
    geod = LONLAT.get_geod()
    if geod is None:
        return (0.0, 0.0)
    height, width = grid.shape
    ends = [(width / 2, 0), (width / 2, height), (0, height / 2), (width, height / 2)]
    places = shapely.points([grid.transform @ end for end in ends])
    lon, lat = shapely.get_coordinates(reproject(places, grid.crs, LONLAT)).T
    if not np.isfinite([lon, lat]).all():
        return (0.0, 0.0)
    _, _, lengths = geod.inv(lon[::2], lat[::2], lon[1::2], lat[1::2])
    return float(lengths[0]), float(lengths[1])
