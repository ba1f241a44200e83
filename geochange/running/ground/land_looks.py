"""What stands on the ground, seen where a polygon needs it, after the polygons are traced.

Most regions of a block are dropped for want of confidence or size. What stands there need not be
known. The ground is seen in squares that lie on the raster as they do, whatever the tiles and blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from geochange.grid.tiling import Index, Window
from geochange.land_cover import NO_LAND_CLASS
from geochange.vector.changes import ConfidenceFilter
from geochange.vector.tracing.polygons import row_col
from geochange.vector.tracing.regions import BlockRegions

SQUARE_PX = 256
"""The side of a square. Usual blocks are as wide as some whole squares."""

MARGIN_PX = 32
"""What is seen around a square."""

Numbers = NDArray[np.uint8]
Look = Callable[[list[Window]], list[Numbers]]
"""(date, height, width) numbers of land classes, of some windows."""


def possible_polygons(
    found: BlockRegions, least_px: int, sure: ConfidenceFilter | None
) -> NDArray[np.bool_]:
    """Which regions of a block may become polygons.

    Those that go on in another block may, as their size is not yet known. The others are as they will
    be. least_px: smaller ones are never written.
    """
    rows = found.regions.rows
    if len(rows) == 0:
        return np.zeros(0, np.bool_)
    possible = rows["pixels"] >= least_px
    if sure is not None:
        possible &= sure.confidence(rows) >= sure.least
    beyond = np.concatenate(found.borders)
    possible[beyond[beyond > 0] - 1] = True
    return np.asarray(possible)


def see_land(
    found: BlockRegions,
    changed: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    shape: Index,
    look: Look,
) -> Numbers:
    """(date, height, width) land classes of a block, by number, where chosen regions have pixels.

    changed: (height, width) which pixels of the block are change. shape: of the raster. look: sees
    windows.
    """
    window = found.window
    land = np.full((2, *changed.shape), NO_LAND_CLASS, np.uint8)
    squares = list(_squares_of(found, changed, chosen))
    outer = [_with_margin(square, shape) for square in squares]
    for square, seen_window, seen in zip(squares, outer, look(outer), strict=True):
        shared = square.intersection(window)
        assert shared is not None
        land[:, *shared.within(window)] = seen[:, *shared.within(seen_window)]
    return land


def _squares_of(
    found: BlockRegions, changed: NDArray[np.bool_], chosen: NDArray[np.bool_]
) -> Iterator[Window]:
    """The squares in which chosen regions may have pixels, by row and column."""
    window = found.window
    for row, col in sorted(set(_places_of(found, chosen))):
        square = Window(row * SQUARE_PX, col * SQUARE_PX, SQUARE_PX, SQUARE_PX)
        shared = square.intersection(window)
        if shared is not None and changed[shared.within(window)].any():
            yield square


def _places_of(found: BlockRegions, chosen: NDArray[np.bool_]) -> Iterator[Index]:
    """(row, col) of the squares that the bounds of chosen regions meet."""
    regions = found.regions
    counts = regions.rows["corners"].astype(np.int64)
    if not chosen.any():
        return
    starts = np.cumsum(counts) - counts
    row, col = row_col(regions.corners["place"])
    ends = [
        extreme.reduceat(each, starts)
        for each in (row, col)
        for extreme in (np.minimum, np.maximum)
    ]
    for top, bottom, left, right in np.stack(ends, axis=1)[chosen].tolist():
        for down in range(top // SQUARE_PX, (bottom - 1) // SQUARE_PX + 1):
            for across in range(left // SQUARE_PX, (right - 1) // SQUARE_PX + 1):
                yield down, across


def _with_margin(square: Window, shape: Index) -> Window:
    row, col = max(0, square.row - MARGIN_PX), max(0, square.col - MARGIN_PX)
    bottom = min(shape[0], square.row_stop + MARGIN_PX)
    right = min(shape[1], square.col_stop + MARGIN_PX)
    return Window(row, col, bottom - row, right - col)
