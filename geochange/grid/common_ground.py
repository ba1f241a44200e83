"""Common ground: which pixels of a grid show ground that other grids show, too."""

from __future__ import annotations

import math

import numpy as np
import shapely
from pyproj import CRS

from geochange.grid.crs import full_turn, metres_of, same_crs
from geochange.grid.grid import LATTICE_TOLERANCE_PX, Grid, to_ground
from geochange.grid.longitude_wrap import moved_into_span
from geochange.grid.polygon_parts import polygonal_part
from geochange.grid.tiling import Window
from geochange.grid.transform_geometry import reproject_areas


def unrepeated_footprint(grid: Grid) -> shapely.Polygon:
    """The footprint of a grid without columns that show the ground of others a second time."""
    turn, (west, east) = full_turn(grid.crs), grid.span
    outline = grid.footprint()
    if turn is None or east - west <= turn:
        return outline
    _, south, _, north = outline.bounds
    return shapely.intersection(outline, shapely.box(west, south, west + turn, north))


def _outline_in(grid: Grid, other: Grid) -> shapely.Geometry | None:
    """The outline of `other` in the CRS of `grid`, where it lies there; None if it has no image."""
    return _moved_by_turns(grid, unrepeated_footprint(other), other.crs)


def _outline_via_other(grid: Grid, other: Grid) -> shapely.Geometry | None:
    """The same by way of the CRS of `other`: what it shares of the outline of `grid`."""
    mine = _outline_in(other, grid)
    if mine is None:
        return None
    west, _, east, _ = mine.bounds
    theirs = np.array([unrepeated_footprint(other)], dtype=np.object_)
    theirs = moved_into_span(theirs, full_turn(other.crs), (west, east))
    shared = polygonal_part(
        shapely.intersection(shapely.make_valid(mine), shapely.make_valid(theirs[0]))
    )
    return _moved_by_turns(grid, shared, other.crs)


def _moved_by_turns(grid: Grid, area: shapely.Geometry, crs: CRS) -> shapely.Geometry | None:
    """An area in the CRS of a grid, by whole turns where the grid lies; None if it has no image."""
    fine = min(grid.pixel_size) * LATTICE_TOLERANCE_PX / 10
    outlines = reproject_areas(np.array([area], dtype=np.object_), crs, grid.crs, fine)
    if not np.isfinite(shapely.get_coordinates(outlines)).all():
        return None
    return moved_into_span(outlines, full_turn(grid.crs), grid.span)[0]


def _shareable_outline(grid: Grid, other: Grid) -> shapely.Geometry | None:
    """What `grid` may share of the outline of `other`, in the CRS of `grid`; None if it has no image.

    A mosaic of the world has no sensible image in a local CRS, so the smaller of the two is moved
    into the CRS of the larger.
    """
    if same_crs(grid.crs, other.crs) or _size_m2(other) <= _size_m2(grid):
        ways = (_outline_in, _outline_via_other)
    else:
        ways = (_outline_via_other, _outline_in)
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
        outline = _shareable_outline(grid, other)
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
