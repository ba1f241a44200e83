"""Object matching: polygons of two files, matched one to one by their IoU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.grid.polygon_parts import polygonal_part
from geochange.vector.tracing.polygons import Geometries

CHUNK = 4096
"""The number of polygons whose overlaps are measured at once."""


@dataclass(frozen=True)
class Matches:
    """Matched pairs of polygons, by falling IoU. Each polygon is in at most one pair.

    found, reference: positions in the two lists. iou: of each pair, above 0.
    """

    found: NDArray[np.intp]
    reference: NDArray[np.intp]
    iou: NDArray[np.float64]

    def above(self, least: float) -> Matches:
        """The pairs with an IoU of at least `least`."""
        kept = self.iou >= least
        return Matches(self.found[kept], self.reference[kept], self.iou[kept])


def match_polygons(found: Geometries, reference: Geometries, least_iou: float) -> Matches:
    """Match polygons one to one, in order of falling IoU, down to `least_iou`.

    The method is greedy, as in COCO: every threshold takes the first pairs of the same list. From an IoU
    of 0.5 on, and if polygons of one file do not overlap, there is no other matching (Kirillov et al.,
    "Panoptic Segmentation", CVPR 2019, sec. 4.1). Below 0.5, an optimal assignment might find one more
    pair by splitting a better one, but it needs a matrix of all pairs.
    """
    ours, theirs, iou = _overlaps(found, reference)
    order = np.lexsort((theirs, ours, -iou))
    order = order[iou[order] >= least_iou]
    free_ours, free_theirs = np.ones(len(found), np.bool_), np.ones(len(reference), np.bool_)
    kept = []
    for pair in order.tolist():
        if free_ours[ours[pair]] and free_theirs[theirs[pair]]:
            free_ours[ours[pair]] = free_theirs[theirs[pair]] = False
            kept.append(pair)
    return Matches(ours[kept], theirs[kept], iou[kept])


def _overlaps(
    found: Geometries, reference: Geometries
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float64]]:
    """All overlapping pairs with their IoU.

    It is computed in pixels, because an affine transform does not change ratios of areas.
    """
    tree = shapely.STRtree(reference)
    pairs, ious = [np.empty((2, 0), np.intp)], [np.empty(0)]
    for start in range(0, len(found), CHUNK):
        part = found[start : start + CHUNK]
        ours, theirs = tree.query(part, predicate="intersects")
        shared = shapely.area(shapely.intersection(part[ours], reference[theirs]))
        union = shapely.area(part[ours]) + shapely.area(reference[theirs]) - shared
        iou = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
        pairs.append(np.stack([ours + start, theirs])[:, iou > 0])
        ious.append(iou[iou > 0])
    ours, theirs = np.concatenate(pairs, axis=1)
    return ours, theirs, np.concatenate(ious)


def split_polygons(outlines: Geometries, area: shapely.Geometry) -> Geometries:
    """Single polygons from polygons and MultiPolygons, each clipped to an area.

    A polygon that the clip cuts into several pieces stays one object.
    """
    outlines = outlines.copy()
    broken = ~shapely.is_valid(outlines)  # rings may touch themselves after reprojection
    outlines[broken] = [polygonal_part(mended) for mended in shapely.make_valid(outlines[broken])]
    parts = shapely.get_parts(outlines)
    shapely.prepare(area)
    across = ~shapely.contains_properly(area, parts)
    parts[across] = [polygonal_part(cut) for cut in shapely.intersection(parts[across], area)]
    return np.asarray(parts[shapely.area(parts) > 0], dtype=np.object_)
