"""Grid: where the pixels lie. A small immutable value: CRS, affine transform, shape."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

from geochange.grid.crs import central_x, full_turn, same_crs, with_central_meridian_moved
from geochange.grid.longitude_wrap import TURN_TOLERANCE, Span, only_turn
from geochange.grid.tiling import Window

G = TypeVar("G", bound=shapely.Geometry)

LATTICE_TOLERANCE_PX = 0.01
"""Two grids whose pixel corners agree this well, everywhere, are read without resampling."""

FOOTPRINT_POINTS = 32
"""Points an edge of a footprint is cut into before it is moved to another CRS, where it bends."""


@dataclass(frozen=True)
class Grid:
    """Pixels on the ground: `transform` maps (col, row) of a pixel corner to coordinates in `crs`."""

    crs: CRS
    transform: Affine
    shape: tuple[int, int]

    @property
    def full_window(self) -> Window:
        """Every pixel."""
        return Window(0, 0, *self.shape)

    @property
    def pixel_size(self) -> tuple[float, float]:
        """(height, width) of a pixel, in CRS units."""
        a, b, _, d, e, _ = self.transform[:6]
        return math.hypot(b, e), math.hypot(a, d)

    def crop(self, window: Window) -> Grid:
        """The grid of a window of this one."""
        origin = self.transform @ Affine.translation(window.col, window.row)
        return Grid(self.crs, origin, (window.height, window.width))

    def footprint(self) -> shapely.Polygon:
        """The outline in CRS coordinates, with points along the edges."""
        height, width = self.shape
        outline = shapely.segmentize(
            shapely.box(0, 0, width, height), max(height, width) / FOOTPRINT_POINTS
        )
        return to_ground(outline, self.transform)

    @property
    def span(self) -> Span:
        """The first and the last x."""
        west, _, east, _ = self.footprint().bounds
        return float(west), float(east)

    def moved_east(self, x: float) -> Grid:
        """The same pixels so far east, in units of the CRS."""
        return (
            self if x == 0 else replace(self, transform=Affine.translation(x, 0) @ self.transform)
        )

    def continuous(self, other: Grid) -> Grid:
        """The same pixels for a warp to `other`, in a CRS whose x jumps nowhere near them.

        PROJ gives longitudes from -180 to 180 alone: pixels beyond these, of either grid, are never
        found. The CRS is the same, counted from the middle of the grid.
        """
        turn = full_turn(self.crs)
        if turn is None or not (self._leaves_the_world or other._leaves_the_world):
            return self
        middle = sum(self.span) / 2 - central_x(self.crs)
        crs = with_central_meridian_moved(self.crs, middle / turn * 360)
        return self if crs is None else replace(self.moved_east(-middle), crs=crs)

    @property
    def _leaves_the_world(self) -> bool:
        turn = full_turn(self.crs)
        if turn is None:
            return False
        farthest = max(abs(x - central_x(self.crs)) for x in self.span)
        return farthest > turn / 2 * (1 + TURN_TOLERANCE)

    def same_lattice(self, other: Grid) -> tuple[int, int] | None:
        """How many (rows, cols) `other` starts below and right of this one, if their pixels coincide.

        Ground that is written as 200 E in one and as 160 W in the other is the same.
        """
        if not same_crs(self.crs, other.crs):
            return None
        turn = full_turn(self.crs)
        turns = only_turn(self.span, other.span, turn, least=self.pixel_size[1])
        if turns is None:
            return None
        between = ~self.transform @ other.moved_east(turns * (turn or 0)).transform
        height, width = other.shape
        offset = (round(between.f), round(between.c))
        for col, row in ((0, 0), (width, 0), (0, height), (width, height)):
            x, y = between @ (col, row)
            gap = max(abs(x - col - offset[1]), abs(y - row - offset[0]))
            if gap > LATTICE_TOLERANCE_PX:
                return None
        return offset


def to_ground(geometry: G, transform: Affine) -> G:
    """Move geometry from (col, row) pixel corners to ground coordinates."""
    a, b, c, d, e, f = transform[:6]
    matrix = np.array([[a, d], [b, e]])

    def place(xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(xy @ matrix + np.array([c, f]))

    placed: G = shapely.transform(geometry, place)
    return placed


LONLAT = CRS.from_epsg(4326)
