"""Thinning: outlines of fewer points (Douglas & Peucker, 1973), where they do not meet for it.

Whether an outline may lose points depends on its neighbours, and whether these may on theirs, and so
on: what is decided is decided for all, a few at a time, and stays the same however few those are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.geo.polygons import Geometries
from geochange.geo.smooth import HALF_PX, smooth
from geochange.geo.spill import Shelf

POLYGON = 3
"""GEOS's number of the type."""

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Outlines:
    """The outlines of regions as they are written.

    tolerance_px: how far they may move; half a pixel goes into smooth lines, the rest into fewer
    points. whole: which regions keep all points of theirs, for with fewer they would overlap another.
    """

    shelf: Shelf
    tolerance_px: float
    whole: NDArray[np.bool_]

    def of(self, chosen: Rows) -> Geometries:
        """The outlines of some regions, in pixel coordinates."""
        regions = self.shelf.read(chosen)
        outlines = smooth(regions.polygons(), self.tolerance_px, self.shelf.touching)
        spare_px = self.tolerance_px - HALF_PX
        return _thin(outlines, self.whole[chosen], spare_px) if spare_px > 0 else outlines


def draw(shelf: Shelf, tolerance_px: float) -> Outlines:
    """Outlines, smooth and thin, none of which overlaps another.

    Memory holds 17 bytes of each region beside a few batches of them, and nothing up to a tolerance
    of half a pixel, by which outlines cannot meet.
    """
    outlines = Outlines(shelf, tolerance_px, np.zeros(len(shelf), np.bool_))
    if tolerance_px <= HALF_PX:
        return outlines
    boxes = shelf.boxes()
    doubtful: Rows | None = None
    while doubtful is None or len(doubtful):
        clashing = np.zeros(len(shelf), np.bool_)
        for mine in shelf.batches(doubtful):
            for others in shelf.batches(_near(boxes, mine)):
                _mark_clashes(outlines, mine, others, clashing)
        # Those which now keep their points can meet what they did not meet before; no others can.
        doubtful = np.flatnonzero(clashing & ~outlines.whole)
        outlines.whole[doubtful] = True
    return outlines


def _thin(outlines: Geometries, whole: NDArray[np.bool_], spare_px: float) -> Geometries:
    # GEOS may drop a ring's starting point after the rest: two errors of one tolerance each.
    thin = np.asarray(shapely.simplify(outlines, spare_px / 2, preserve_topology=True))
    broken = ~shapely.is_valid(thin) | (shapely.get_type_id(thin) != POLYGON)
    return np.asarray(np.where(whole | broken, outlines, thin), dtype=np.object_)


def _near(boxes: NDArray[np.int32], mine: Rows) -> Rows:
    """Regions that may meet one of `mine`: outlines stay within the boxes of their regions."""
    row, col = boxes[mine, 0].min(), boxes[mine, 1].min()
    row_stop, col_stop = boxes[mine, 2].max(), boxes[mine, 3].max()
    rows = (boxes[:, 0] <= row_stop) & (boxes[:, 2] >= row)
    return np.flatnonzero(rows & (boxes[:, 1] <= col_stop) & (boxes[:, 3] >= col))


def _mark_clashes(
    outlines: Outlines, mine: Rows, others: Rows, clashing: NDArray[np.bool_]
) -> None:
    """Set `clashing` for every pair, of one and the other, whose outlines share ground."""
    one, other = outlines.of(mine), outlines.of(others)
    i, j = shapely.STRtree(other).query(one, predicate="intersects")
    pairs = mine[i] != others[j]
    i, j = i[pairs], j[pairs]
    shared = shapely.area(shapely.intersection(one[i], other[j])) > 0
    clashing[mine[i[shared]]] = clashing[others[j[shared]]] = True
