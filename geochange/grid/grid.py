"""Grid: where the pixels lie. A small immutable value: CRS, affine transform, shape."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geochange.grid.tiling import Window

G = TypeVar("G", bound=shapely.Geometry)

LATTICE_TOLERANCE_PX = 0.01
"""Two grids whose pixel corners agree this well, everywhere, are read without resampling."""

DENSIFY = 32
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
        outline = shapely.segmentize(shapely.box(0, 0, width, height), max(height, width) / DENSIFY)
        return to_ground(outline, self.transform)

    def same_lattice(self, other: Grid) -> tuple[int, int] | None:
        """How many (rows, cols) `other` starts below and right of this one, if their pixels coincide."""
        if not self.crs.equals(other.crs, ignore_axis_order=True):
            return None
        between = ~self.transform @ other.transform
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


def reproject(geometry: G, source: CRS, target: CRS) -> G:
    """Move geometry from one CRS to another; points without an image become infinite."""
    if source.equals(target, ignore_axis_order=True):
        return geometry
    transformer = Transformer.from_crs(source, target, always_xy=True)
    moved: G = shapely.transform(geometry, transformer.transform, interleaved=False)
    return moved


LONLAT = CRS.from_epsg(4326)


def _seen_from(grid: Grid, other: Grid) -> shapely.Geometry | None:
    """What `grid` may share of the outline of `other`, in the CRS of `grid`; None if it has no image.

    A mosaic of the world has no sensible image in a local CRS, so the smaller of the two is moved
    into the CRS of the larger.
    """
    mine, theirs = (_spread_degrees(each) for each in (grid, other))
    if theirs <= mine:
        outline = reproject(other.footprint(), other.crs, grid.crs)
    else:
        moved = reproject(grid.footprint(), grid.crs, other.crs)
        if not np.isfinite(shapely.get_coordinates(moved)).all():
            return None
        shared = shapely.intersection(shapely.make_valid(moved), other.footprint())
        outline = reproject(shared, other.crs, grid.crs)
    return outline if np.isfinite(shapely.get_coordinates(outline)).all() else None


def _spread_degrees(grid: Grid) -> float:
    """Size of the footprint's bounds in square degrees: to tell the world from a place."""
    points = shapely.get_coordinates(reproject(grid.footprint(), grid.crs, LONLAT))
    return float(np.prod(np.ptp(points, axis=0))) if np.isfinite(points).all() else np.inf


def common_ground(grid: Grid, others: list[Grid]) -> shapely.Geometry | None:
    """The outline, in pixels of `grid`, of the ground it shares with every other grid, or None."""
    ground: shapely.Geometry = shapely.box(0, 0, grid.shape[1], grid.shape[0])
    for other in others:
        outline = _seen_from(grid, other)
        if outline is None:
            return None
        pixels = to_ground(outline, ~grid.transform)
        ground = shapely.intersection(ground, shapely.make_valid(pixels))
    return None if shapely.area(ground) <= LATTICE_TOLERANCE_PX else ground


def common_window(grid: Grid, others: list[Grid]) -> Window | None:
    """The smallest window of `grid` that holds the ground it shares with every other grid.

    None where there is no common ground.
    """
    ground = common_ground(grid, others)
    if ground is None:
        return None
    left, top, right, bottom = shapely.bounds(ground)
    row, col = math.floor(top + LATTICE_TOLERANCE_PX), math.floor(left + LATTICE_TOLERANCE_PX)
    row_stop = math.ceil(bottom - LATTICE_TOLERANCE_PX)
    col_stop = math.ceil(right - LATTICE_TOLERANCE_PX)
    window = Window(row, col, row_stop - row, col_stop - col)
    return window.intersection(grid.full_window)
