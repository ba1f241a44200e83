"""Smoothing: the stairs of pixel outlines become slanted lines that stay within half a pixel.

A stair is an edge of one pixel between a left and a right turn. Its two corners are cut, from the
middle of the stair to a point of the long edge beside it. On a regular slope these cuts line up to
one straight line; a true corner, between two edges of two pixels or more, is no stair and stays,
as do single pixels and the ends of thin lines.

Why nothing can tear or overlap: a cut sweeps a triangle half a pixel high on one side of one
edge. Two outlines never run within a pixel of each other except where they touch, and where two
regions (or a region and itself) touch at a corner that corner is left alone.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.geo.polygons import Geometries, canonical

HALF_PX = 0.5
"""No cut moves an outline further than this: the corner beside a stair lies half a pixel off the cut."""

CHUNK = 4096
"""Polygons whose points are worked on at once."""

CAP_REACH_PX = 1.0
"""How far a cut runs along an edge that is no step of a slope (the top of a bump, a long wall)."""

Coordinates = NDArray[np.float64]


def smooth(polygons: Geometries, tolerance_px: float) -> Geometries:
    """Outlines in whole pixels, smoothed; no point moves further than `tolerance_px`.

    0 keeps the stairs. Up to half a pixel shortens the cuts; what is above half a pixel is spent on
    fewer points (Douglas & Peucker, 1973), and given up for polygons that would then overlap.
    """
    if tolerance_px <= 0 or len(polygons) == 0:
        return polygons
    reach_px = _longest_reach(min(tolerance_px, HALF_PX))
    touching = _touching_places(polygons)
    cut = polygons.copy()
    for start in range(0, len(cut), CHUNK):
        part = slice(start, start + CHUNK)
        cut[part] = _cut_stairs(polygons[part], touching, reach_px)
    spare_px = tolerance_px - HALF_PX
    return _thin(cut, spare_px) if spare_px > 0 else cut


def _places(points: Coordinates) -> NDArray[np.int64]:
    """Pixel corners as one whole number each."""
    col, row = points.astype(np.int64).T
    return np.asarray((row << np.int64(32)) + col)


def _touching_places(polygons: Geometries) -> NDArray[np.int64]:
    """Corners that occur more than once: there two outlines, or two parts of one, touch."""
    _, points, (ring_offsets, _) = shapely.to_ragged_array(list(polygons))
    closing = np.zeros(len(points), np.bool_)
    closing[np.asarray(ring_offsets)[1:] - 1] = True
    places = np.sort(_places(points[~closing]))
    return np.unique(places[1:][places[1:] == places[:-1]])


def _cut_stairs(polygons: Geometries, touching: NDArray[np.int64], reach_px: float) -> Geometries:
    kind, points, (ring_offsets, polygon_offsets) = shapely.to_ragged_array(list(polygons))
    corners = _Corners(points, np.asarray(ring_offsets))
    cut_points, counts = corners.cut(np.isin(_places(points), touching), reach_px)
    offsets = np.concatenate([[0], np.cumsum(np.add.reduceat(counts, ring_offsets[:-1]))])
    return canonical(shapely.from_ragged_array(kind, cut_points, (offsets, polygon_offsets)))


class _Corners:
    """The points of many closed rings at once; the last point of a ring repeats its first.

    Arrays have a row for every point, the closing ones too, so that counts stay aligned with rings.
    """

    def __init__(self, points: Coordinates, ring_offsets: NDArray[np.int64]) -> None:
        self.points = points
        self.first, self.last = ring_offsets[:-1], ring_offsets[1:] - 1
        index = np.arange(len(points))
        self.after, self.before = index + 1, index - 1
        self.after[self.last] = self.first + 1
        self.before[self.first] = self.last - 1

    def cut(
        self, fixed: NDArray[np.bool_], reach_px: float
    ) -> tuple[Coordinates, NDArray[np.int64]]:
        """New points, closed rings again, and how many each old point gave (1 or 2)."""
        ahead = self.points[self.after] - self.points
        length = np.abs(ahead).sum(axis=1)
        slope = self._slopes(ahead)
        stair = slope & (length == 1)
        cut = (stair | stair[self.before]) & ~fixed
        cut[self.last] = False
        reach = np.where(slope, length / 2, np.minimum(length / 2, CAP_REACH_PX))
        reach = np.minimum(reach, reach_px)
        return self._cut_points(cut, ahead / length[:, None], reach)

    def _slopes(self, ahead: Coordinates) -> NDArray[np.bool_]:
        """Whether the edge ahead of a point turns one way at its start and the other at its end."""
        behind = ahead[self.before]
        turns = np.sign(behind[:, 0] * ahead[:, 1] - behind[:, 1] * ahead[:, 0])
        return np.asarray(turns != turns[self.after])

    def _cut_points(
        self, cut: NDArray[np.bool_], direction: Coordinates, reach: NDArray[np.float64]
    ) -> tuple[Coordinates, NDArray[np.int64]]:
        entering = self.points - direction[self.before] * reach[self.before, None]
        leaving = self.points + direction * reach[:, None]
        pairs = np.stack([np.where(cut[:, None], entering, self.points), leaving], axis=1)
        pairs[self.last, 0] = pairs[self.first, 0]
        keep = np.stack([np.ones_like(cut), cut], axis=1)
        return pairs[keep], 1 + cut.astype(np.int64)


def _longest_reach(tolerance_px: float) -> float:
    """How far a cut may run along an edge so that its corner lies at most `tolerance_px` off it.

    The corner of a right triangle with legs 1/2 and r lies r/2 / sqrt(1/4 + r^2) off its third side.
    """
    if tolerance_px >= HALF_PX:
        return np.inf
    return float(HALF_PX * tolerance_px / np.sqrt(HALF_PX**2 - tolerance_px**2))


def _thin(polygons: Geometries, spare_px: float) -> Geometries:
    """Fewer points; polygons whose thinned outlines would meet keep their own."""
    # GEOS may drop a ring's starting point after the rest: two errors of one tolerance each.
    thinned = np.asarray(shapely.simplify(polygons, spare_px / 2, preserve_topology=True))
    keep = ~shapely.is_valid(thinned) | (shapely.get_type_id(thinned) != 3)
    while True:
        result = np.where(keep, polygons, thinned)
        tree = shapely.STRtree(result)
        one, other = tree.query(result, predicate="intersects")
        pairs = one < other
        one, other = one[pairs], other[pairs]
        shared = shapely.area(shapely.intersection(result[one], result[other])) > 0
        worse = np.zeros(len(result), np.bool_)
        worse[one[shared]] = worse[other[shared]] = True
        if not (worse & ~keep).any():
            return np.asarray(result, dtype=np.object_)
        keep |= worse
