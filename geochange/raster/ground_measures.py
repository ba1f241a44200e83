"""Measures of a pair on the ground: its common area, its pixel sizes, and the vector of a shift."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from pyproj import Geod

from geochange.grid.common_ground import common_ground
from geochange.grid.grid import LONLAT, Grid, to_ground
from geochange.grid.transform_geometry import reproject
from geochange.raster.pair import RasterPair
from geochange.vector.geodesic import geodesic_measures

WGS84_GEOD = Geod(ellps="WGS84")

COMPASS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


@dataclass(frozen=True)
class CommonArea:
    """The common area in square kilometres on the ellipsoid, and its share of each date."""

    km2: float
    of_before: float
    of_after: float


@dataclass(frozen=True)
class GroundShift:
    """A vector on the ground: its length, and its direction as one of eight compass points."""

    metres: float
    towards: str

    @property
    def text(self) -> str:
        """The length with its unit."""
        return f"{self.metres:.2f} m" if self.metres < 10 else f"{self.metres:.0f} m"


def common_area_of(pair: RasterPair) -> CommonArea:
    """The area that the two rasters of a pair share."""
    grids = [date.info.grid for date in (pair.before, pair.after)]
    whole = shapely.box(0, 0, pair.grid.shape[1], pair.grid.shape[0])
    shared = _area_m2(common_ground(pair.grid, grids) or whole, pair.grid)
    of_dates = (_area_m2(shapely.box(0, 0, grid.shape[1], grid.shape[0]), grid) for grid in grids)
    before, after = (min(1.0, shared / area) if area else 0.0 for area in of_dates)
    return CommonArea(shared / 1e6, before, after)


def _area_m2(outline: shapely.Geometry, grid: Grid) -> float:
    parts = shapely.get_parts(outline)
    polygons = parts[shapely.get_type_id(parts) == 3]
    return float(geodesic_measures(polygons, grid)[0].sum()) if len(polygons) else 0.0


def pixel_m(grid: Grid, where: Grid) -> float:
    """The pixel size of `grid` in metres on the ellipsoid, near the middle of `where`."""
    row, col = grid.shape[0] // 2, grid.shape[1] // 2
    if (shared := common_ground(grid, [where])) is not None:
        point = shapely.point_on_surface(shared)
        row, col = math.floor(point.y), math.floor(point.x)
    pixel = np.array([shapely.box(col, row, col + 1, row + 1)], dtype=np.object_)
    return math.sqrt(float(geodesic_measures(pixel, grid)[0][0]))


def ground_shift_of(grid: Grid, shift_px: tuple[float, float]) -> GroundShift:
    """The vector on the ground of a shift (rows, cols), in the middle of a grid."""
    row, col = grid.shape[0] / 2, grid.shape[1] / 2
    way = shapely.linestrings([(col, row), (col + shift_px[1], row + shift_px[0])])
    points = shapely.get_coordinates(reproject(to_ground(way, grid.transform), grid.crs, LONLAT))
    azimuth, _, metres = WGS84_GEOD.inv(*points[0], *points[1])
    return GroundShift(float(metres), COMPASS[round(azimuth / 45) % 8])
