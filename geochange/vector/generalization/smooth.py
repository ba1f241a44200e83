"""Smoothing: the stairs of pixel outlines become slanted lines within half a pixel.

A stair is an edge of one pixel between a left and a right turn. Its two corners are cut, from the
middle of the stair to a point of the long edge beside it. On a regular slope these cuts form one
straight line. A true corner, between two edges of two pixels or more, is no stair and stays, as do
single pixels and the ends of thin lines.

Why nothing can tear or overlap: a cut sweeps a triangle half a pixel high on one side of one edge.
Two outlines never run within a pixel of each other except where they touch, and corners where
regions touch are never cut.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.vector.tracing.polygons import Geometries, Places, place_of

HALF_PX = 0.5
"""The largest distance of a cut: the corner beside a stair lies half a pixel off the cut."""

CAP_REACH_PX = 1.0
"""How far a cut runs along an edge that is no step of a slope (the top of a bump, a long wall)."""

Coordinates = NDArray[np.float64]


def smooth(polygons: Geometries, tolerance_px: float, touching: Places) -> Geometries:
    """Cut the stairs of outlines in whole pixels; no point moves further than `tolerance_px`.

    touching: the corners, in order, where regions touch diagonally. 0 keeps the stairs; a tolerance
    above half a pixel has no further effect. Each outline is processed by itself.
    """
    if tolerance_px <= 0 or len(polygons) == 0:
        return polygons
    reach_px = _longest_reach(min(tolerance_px, HALF_PX))
    kind, points, (ring_offsets, polygon_offsets) = shapely.to_ragged_array(list(polygons))
    corners = _Corners(points, _Rings(np.asarray(ring_offsets)))
    cut_points, counts = corners.cut(_is_in(touching, points), reach_px)
    offsets = np.concatenate([[0], np.cumsum(np.add.reduceat(counts, ring_offsets[:-1]))])
    bends, offsets = _corner_points(cut_points, offsets)
    smoothed = shapely.from_ragged_array(kind, bends, (offsets, polygon_offsets))
    return np.asarray(shapely.normalize(smoothed), dtype=np.object_)


def _is_in(touching: Places, points: Coordinates) -> NDArray[np.bool_]:
    col, row = points.astype(np.int64).T
    place = place_of(row, col)
    found = np.searchsorted(touching, place)
    return np.asarray(np.append(touching, -1)[found] == place)


class _Rings:
    """The neighbours of points in many closed rings.

    The last point of a ring repeats its first. Arrays have a row for every point, also for the
    closing ones, so that counts stay aligned with rings.
    """

    def __init__(self, offsets: NDArray[np.int64]) -> None:
        self.first, self.last = offsets[:-1], offsets[1:] - 1
        index = np.arange(offsets[-1])
        self.after, self.before = index + 1, index - 1
        self.after[self.last] = self.first + 1
        self.before[self.first] = self.last - 1

    def keep(self, kept: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
        """The rings without some of their points, closed again, and their offsets."""
        kept = kept.copy()
        kept[self.last] = False
        counts = np.add.reduceat(kept, self.first, dtype=np.int64)
        stops = np.cumsum(counts)
        points = np.flatnonzero(kept)
        closed = np.insert(points, stops, points[stops - counts])
        return closed, np.concatenate([[0], stops + np.arange(1, len(stops) + 1)])


def _corner_points(
    points: Coordinates, offsets: NDArray[np.int64]
) -> tuple[Coordinates, NDArray[np.int64]]:
    """Rings without repeated or collinear points, and their offsets."""
    rings = _Rings(offsets)
    distinct, offsets = rings.keep((points != points[rings.before]).any(axis=1))
    points = points[distinct]
    rings = _Rings(offsets)
    behind = points[rings.before]
    off, chord = behind - points, points[rings.after] - behind
    straight = off[:, 1] * chord[:, 0] == off[:, 0] * chord[:, 1]
    bends, offsets = rings.keep(~straight)
    return points[bends], offsets


class _Corners:
    """The points of closed rings of stairs."""

    def __init__(self, points: Coordinates, rings: _Rings) -> None:
        self.points = points
        self.first, self.last = rings.first, rings.last
        self.before, self.after = rings.before, rings.after

    def cut(
        self, fixed: NDArray[np.bool_], reach_px: float
    ) -> tuple[Coordinates, NDArray[np.int64]]:
        """New points, closed rings again, and how many each old point became (1 or 2)."""
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
        """Whether the edge after a point turns one way at its start and the other way at its end."""
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
    """How far a cut may run along an edge so that its corner is at most `tolerance_px` off it.

    The corner of a right triangle with legs 1/2 and r lies r/2 / sqrt(1/4 + r^2) off its third
    side.
    """
    if tolerance_px >= HALF_PX:
        return np.inf
    return float(HALF_PX * tolerance_px / np.sqrt(HALF_PX**2 - tolerance_px**2))
