"""What stands on the ground, seen where a polygon needs it, after the polygons are traced.

Most regions of a block are dropped for want of confidence or size. What stands there need not be
known. The parts of tiles that are seen are those that a network sees which looks at all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.grid.tiling import TilePlan, Window
from geochange.land_cover import NO_LAND_CLASS
from geochange.models.inference.chip_parts import parts_of
from geochange.mosaic.class_mosaic import owned_window
from geochange.vector.changes import ConfidenceFilter
from geochange.vector.tracing.polygons import row_col
from geochange.vector.tracing.regions import BlockRegions

Numbers = NDArray[np.uint8]

Look = Callable[[Sequence[Window]], list[Numbers]]
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


@dataclass(frozen=True)
class TilePart:
    """A part of a tile. outer: what is seen. owned: the pixels of which this part decides."""

    outer: Window
    owned: Window


def see_land(
    found: BlockRegions,
    changed: NDArray[np.bool_],
    chosen: NDArray[np.bool_],
    plan: TilePlan,
    look: Look,
) -> Numbers:
    """(date, height, width) land classes of a block, by number, where chosen regions have pixels.

    changed: (height, width) which pixels of the block are change. look: sees windows.
    """
    bounds = _bounds_of(found, chosen)
    parts = [
        part
        for part in _parts_of_block(plan, found.window)
        if _meets(bounds, part.owned) and changed[part.owned.within(found.window)].any()
    ]
    land = np.full((2, *changed.shape), NO_LAND_CLASS, np.uint8)
    for part, seen in zip(parts, look([part.outer for part in parts]), strict=True):
        land[:, *part.owned.within(found.window)] = seen[:, *part.owned.within(part.outer)]
    return land


def _parts_of_block(plan: TilePlan, window: Window) -> Iterator[TilePart]:
    """The parts of tiles that own pixels of a window, cut to it."""
    rows, cols = plan.touching_tiles(window)
    for tile in ((row, col) for row in rows for col in cols):
        owned = owned_window(plan, tile).intersection(window)
        if owned is None:
            continue
        whole = plan.tile_window(tile)
        for part in parts_of(plan.tile_px, plan.tile_px):
            shared = _window(part.inner).moved(whole.row, whole.col).intersection(owned)
            if shared is not None:
                yield TilePart(_window(part.outer).moved(whole.row, whole.col), shared)


def _window(place: tuple[slice, slice]) -> Window:
    rows, cols = place
    return Window(rows.start, cols.start, rows.stop - rows.start, cols.stop - cols.start)


def _bounds_of(found: BlockRegions, chosen: NDArray[np.bool_]) -> NDArray[np.int64]:
    """(4, region): the first row and column of chosen regions, and the first ones behind them."""
    regions = found.regions
    counts = regions.rows["corners"].astype(np.int64)
    starts = np.cumsum(counts) - counts
    places = row_col(regions.corners["place"])
    ends = [end.reduceat(place, starts) for end in (np.minimum, np.maximum) for place in places]
    return np.stack(ends)[:, chosen]


def _meets(bounds: NDArray[np.int64], window: Window) -> bool:
    top, left, bottom, right = bounds
    down = (top < window.row_stop) & (bottom > window.row)
    return bool((down & (left < window.col_stop) & (right > window.col)).any())
