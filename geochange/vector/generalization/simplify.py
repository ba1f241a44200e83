"""Draw outlines in a style, except where they would overlap their neighbours.

Whether an outline can be drawn depends on its neighbours, and theirs on their neighbours. Decisions
are made for all regions, in batches, and do not depend on the size of a batch.
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
from geochange.vector.tracing.region_file import RegionFile

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Outlines:
    """The outlines of regions as they are written.

    style: their style; half a pixel of its tolerance is used for smooth lines. whole: regions that
    keep their smooth lines, since they would overlap another.
    """

    region_file: RegionFile
    style: OutlineStyle
    whole: NDArray[np.bool_]

    def of(self, chosen: Rows) -> Geometries:
        """The outlines of the chosen regions, in pixel coordinates."""
        regions = self.region_file.read(chosen)
        outlines = smooth(regions.polygons(), self.style.simplify_px, self.region_file.touching)
        return self.style.draw(outlines, self.whole[chosen])


def draw_outlines(region_file: RegionFile, style: OutlineStyle) -> Outlines:
    """Outlines in a style, valid and without overlaps.

    Memory holds 17 bytes for each region and a few batches of them, and nothing for a style that
    cannot make outlines overlap.
    """
    outlines = Outlines(region_file, style, np.zeros(len(region_file), np.bool_))
    if not style.may_meet:
        return outlines
    boxes = region_file.boxes()
    margin = math.ceil(style.margin_px)
    boxes += np.array([-margin, -margin, margin, margin], np.int32)
    doubtful: Rows | None = None
    while doubtful is None or len(doubtful):
        clashing = np.zeros(len(region_file), np.bool_)
        for mine in region_file.batches(doubtful):
            for others in region_file.batches(_near(boxes, mine)):
                _mark_clashes(outlines, mine, others, clashing)
        # Only regions that keep their lines now can overlap others anew.
        doubtful = np.flatnonzero(clashing & ~outlines.whole)
        outlines.whole[doubtful] = True
    return outlines


def _near(boxes: NDArray[np.int32], mine: Rows) -> Rows:
    """Regions that may overlap one of `mine`: outlines stay within their boxes."""
    row, col = boxes[mine, 0].min(), boxes[mine, 1].min()
    row_stop, col_stop = boxes[mine, 2].max(), boxes[mine, 3].max()
    rows = (boxes[:, 0] <= row_stop) & (boxes[:, 2] >= row)
    return np.flatnonzero(rows & (boxes[:, 1] <= col_stop) & (boxes[:, 3] >= col))


def _mark_clashes(
    outlines: Outlines, mine: Rows, others: Rows, clashing: NDArray[np.bool_]
) -> None:
    """Set `clashing` for both regions of every pair whose outlines overlap."""
    one, other = outlines.of(mine), outlines.of(others)
    i, j = shapely.STRtree(other).query(one, predicate="intersects")
    pairs = mine[i] != others[j]
    i, j = i[pairs], j[pairs]
    shared = shapely.area(shapely.intersection(one[i], other[j])) > 0
    clashing[mine[i[shared]]] = clashing[others[j[shared]]] = True
