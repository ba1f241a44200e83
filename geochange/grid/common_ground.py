"""Common ground: which pixels of a grid show ground that other grids show, too."""

from __future__ import annotations

import math

import numpy as np
import shapely
from pyproj import CRS

from geochange.grid.areas import areal
from geochange.grid.crs import full_turn, metres_of, same_crs
from geochange.grid.grid import LATTICE_TOLERANCE_PX, Grid, to_ground
from geochange.grid.reproject import reproject_areas
from geochange.grid.tiling import Window
from geochange.grid.turns import brought


def area_of(grid: Grid) -> shapely.Polygon:
    """The footprint of a grid without columns that show the ground of others a second time."""
    turn, (west, east) = full_turn(grid.crs), grid.span
    outline = grid.footprint()
    if turn is None or east - west <= turn:
        return outline
    _, south, _, north = outline.bounds
    return shapely.intersection(outline, shapely.box(west, south, west + turn, north))


def _image(grid: Grid, other: Grid) -> shapely.Geometry | None:
    """The outline of `other` in the CRS of `grid`, where it lies there; None if it has no image."""
    return _moved_to(grid, area_of(other), other.crs)


def _image_back(grid: Grid, other: Grid) -> shapely.Geometry | None:
    """The same by way of the CRS of `other`: what it shares of the outline of `grid`."""
    mine = _image(other, grid)
    if mine is None:
        return None
    west, _, east, _ = mine.bounds
    theirs = np.array([area_of(other)], dtype=np.object_)
    theirs = brought(theirs, full_turn(other.crs), (west, east))
    shared = areal(shapely.intersection(shapely.make_valid(mine), shapely.make_valid(theirs[0])))
    return _moved_to(grid, shared, other.crs)


def _moved_to(grid: Grid, area: shapely.Geometry, crs: CRS) -> shapely.Geometry | None:
    """An area in the CRS of a grid, by whole turns where the grid lies; None if it has no image."""
    fine = min(grid.pixel_size) * LATTICE_TOLERANCE_PX / 10
    outlines = reproject_areas(np.array([area], dtype=np.object_), crs, grid.crs, fine)
    if not np.isfinite(shapely.get_coordinates(outlines)).all():
        return None
    return brought(outlines, full_turn(grid.crs), grid.span)[0]


def _seen_from(grid: Grid, other: Grid) -> shapely.Geometry | None:
    """What `grid` may share of the outline of `other`, in the CRS of `grid`; None if it has no image.

    A mosaic of the world has no sensible image in a local CRS, so the smaller of the two is moved
    into the CRS of the larger.
    """
    if same_crs(grid.crs, other.crs) or _size_m2(other) <= _size_m2(grid):
        ways = (_image, _image_back)
    else:
        ways = (_image_back, _image)
    outlines = (way(grid, other) for way in ways)
    return next((outline for outline in outlines if outline is not None), None)


def _size_m2(grid: Grid) -> float:
    """Roughly how large a grid is: to tell the world from a place."""
    height, width = grid.shape
    return abs(grid.transform.determinant) * height * width * metres_of(grid.crs) ** 2


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
