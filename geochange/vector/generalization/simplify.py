"""Outlines as a pen draws them (thin, rounded, with right angles), where they do not meet for it.

Whether an outline may be drawn so depends on its neighbours, and whether these may on theirs, and so
on: what is decided is decided for all, a few at a time, and stays the same however few those are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.vector.generalization.outline_style import OutlineStyle
from geochange.vector.generalization.smooth import smooth
from geochange.vector.tracing.polygons import Geometries
from geochange.vector.tracing.spill import RegionFile

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Outlines:
    """The outlines of regions as they are written.

    pen: how they are drawn; of what it lets them move, half a pixel goes into smooth lines.
    whole: which regions keep their smooth lines as they are, for else they would overlap another.
    """

    shelf: RegionFile
    pen: OutlineStyle
    whole: NDArray[np.bool_]

    def of(self, chosen: Rows) -> Geometries:
        """The outlines of some regions, in pixel coordinates."""
        regions = self.shelf.read(chosen)
        outlines = smooth(regions.polygons(), self.pen.simplify_px, self.shelf.touching)
        return self.pen.draw(outlines, self.whole[chosen])


def draw(shelf: RegionFile, pen: OutlineStyle) -> Outlines:
    """Outlines as a pen draws them, valid, and none of which overlaps another.

    Memory holds 17 bytes of each region beside a few batches of them, and nothing for a pen by which
    outlines cannot meet.
    """
    outlines = Outlines(shelf, pen, np.zeros(len(shelf), np.bool_))
    if not pen.may_meet:
        return outlines
    boxes = shelf.boxes()
    margin = math.ceil(pen.margin_px)
    boxes += np.array([-margin, -margin, margin, margin], np.int32)
    doubtful: Rows | None = None
    while doubtful is None or len(doubtful):
        clashing = np.zeros(len(shelf), np.bool_)
        for mine in shelf.batches(doubtful):
            for others in shelf.batches(_near(boxes, mine)):
                _mark_clashes(outlines, mine, others, clashing)
        # Those which now keep their lines can meet what they did not meet before; no others can.
        doubtful = np.flatnonzero(clashing & ~outlines.whole)
        outlines.whole[doubtful] = True
    return outlines


def _near(boxes: NDArray[np.int32], mine: Rows) -> Rows:
    """Regions that may meet one of `mine`: outlines stay within their boxes."""
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
