"""AreaOfInterest: limits a run to polygons, given in pixels of its grid.

The area is cut once into small pieces along whole pixels. So the cost of a window depends only on
the pieces in that window, also for a coast with a million corners.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.errors import InputError
from geochange.grid.grid import Grid
from geochange.grid.polygon_parts import polygonal_part
from geochange.grid.tiling import Window
from geochange.vector.tracing.polygons import Geometries

PIECE_POINTS = 256
"""A piece with more corners is cut in two,"""

PIECE_PX = 64
"""unless it is at most this size."""


class AreaOfInterest:
    """The pixels of a grid whose centre lies in an area.

    pieces: polygons in pixels of the grid, (x, y) = (col, row) of corners.
    """

    def __init__(self, pieces: Geometries) -> None:
        from geochange.vector.files.polygon_reader import Burner  # imports geopandas

        self.pieces = pieces
        self._burner = Burner(pieces)
        self._tree = shapely.STRtree(pieces)

    @cached_property
    def digest(self) -> str:
        """A hash of the area."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """The area as WKB."""
        return bytes(shapely.to_wkb(shapely.geometrycollections(self.pieces)))

    @classmethod
    def from_bytes(cls, packed: bytes) -> AreaOfInterest:
        """The inverse of `to_bytes`."""
        return cls(shapely.get_parts(shapely.from_wkb(packed)))

    @property
    def window(self) -> Window:
        """The smallest window that holds the area."""
        left, top, right, bottom = shapely.total_bounds(self.pieces)
        row, col = math.floor(top), math.floor(left)
        return Window(row, col, math.ceil(bottom) - row, math.ceil(right) - col)

    @property
    def place(self) -> tuple[int, int]:
        """(row, col) of a pixel in the largest piece."""
        point = shapely.point_on_surface(self.pieces[np.argmax(shapely.area(self.pieces))])
        return math.floor(point.y), math.floor(point.x)

    def moved(self, rows: int, cols: int) -> AreaOfInterest:
        """The same area with another origin of pixels."""
        return AreaOfInterest(shapely.transform(self.pieces, lambda xy: np.add(xy, (cols, rows))))

    def touched(self, windows: list[Window]) -> NDArray[np.bool_]:
        """Which windows overlap the area. A window that only touches it may count, too."""
        edges = np.array([(w.col, w.row, w.col_stop, w.row_stop) for w in windows], float)
        found = np.zeros(len(windows), np.bool_)
        if len(windows):
            boxes = shapely.box(*edges.T)
            found[np.unique(self._tree.query(boxes, predicate="intersects")[0])] = True
        return found

    def touches(self, window: Window) -> bool:
        """Whether a window overlaps the area."""
        return bool(self.touched([window])[0])

    def mask(self, window: Window) -> NDArray[np.bool_]:
        """(height, width) bool: the pixels of a window in the area; the same for every window."""
        return self._burner.burn(window)


def read_aoi(path: Path, grid: Grid) -> AreaOfInterest:
    """The polygons of a vector file that lie on a grid, in its pixels.

    Raises InputError for a file that cannot be read, has no CRS, or has no polygon on the grid.
    """
    from geochange.vector.files.polygon_reader import find_layer, read_outlines

    layer = find_layer(path)
    if layer.features == 0:
        raise InputError(f"{path}: holds no polygon; draw the area in it, or leave --aoi out")
    whole = shapely.box(0, 0, grid.shape[1], grid.shape[0])
    bounds = shapely.bounds(whole)
    outlines = [_cut(outline, bounds) for outline in read_outlines(layer, grid)]
    pieces = [piece for outline in outlines for piece in _pieces(outline)]
    if not pieces:
        raise InputError(
            f"{path}: none of its polygons lies on the common ground of the rasters; check its CRS "
            "and place"
        )
    area = AreaOfInterest(np.array(pieces, dtype=np.object_))
    if shapely.area(area.pieces).sum() < 1:
        raise InputError(f"{path}: its polygons cover less than a pixel; draw a larger area")
    return area


def _pieces(outline: shapely.Geometry) -> Iterator[shapely.Geometry]:
    """An outline in pieces with few corners, cut along whole pixels."""
    if shapely.is_empty(outline):
        return
    left, top, right, bottom = shapely.bounds(outline)
    height, width = bottom - top, right - left
    if shapely.get_num_coordinates(outline) <= PIECE_POINTS or max(height, width) <= PIECE_PX:
        yield from shapely.get_parts(outline)
        return
    if width >= height:
        middle = round((left + right) / 2)
        halves = (left, top, middle, bottom), (middle, top, right, bottom)
    else:
        middle = round((top + bottom) / 2)
        halves = (left, top, right, middle), (left, middle, right, bottom)
    for half in halves:
        yield from _pieces(_cut(outline, half))


def _cut(outline: shapely.Geometry, box: Iterable[float]) -> shapely.Geometry:
    """The part of an outline in a box (left, top, right, bottom)."""
    box = tuple(box)
    # clip_by_rect is fast, but may be invalid if an outline runs along the box.
    part = shapely.clip_by_rect(outline, *box)
    if not shapely.is_valid(part):
        part = shapely.intersection(outline, shapely.box(*box))
    return polygonal_part(part)
