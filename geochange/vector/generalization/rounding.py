"""Rounding: corners are cut repeatedly (Chaikin, 1974), for outlines without sharp bends."""

from __future__ import annotations

import numpy as np
import shapely

from geochange.vector.tracing.polygons import Geometries

SHARE = 0.25
"""The share of an edge that is cut off at either end."""

REACH_PX = 2.0
"""The most that is cut off, so that the corner of a long wall stays near its place."""


def cut_corners(outlines: Geometries, rounds: int) -> Geometries:
    """Polygons with their corners cut `rounds` times, each within its own convex hull.

    Each round doubles the points of a ring. Outlines may then touch others or themselves; the
    caller checks that.
    """
    if rounds <= 0 or len(outlines) == 0:
        return outlines
    kind, points, (rings, polygons) = shapely.to_ragged_array(list(outlines))
    for _ in range(rounds):
        closing = np.zeros(len(points), np.bool_)
        closing[rings[1:] - 1] = True
        start, ahead = points[~closing], np.diff(points, axis=0)[~closing[:-1]]
        length = np.hypot(*ahead.T)[:, None]
        cut = ahead * np.minimum(SHARE, REACH_PX / np.maximum(length, np.finfo(float).tiny))
        cut_points = np.stack([start + cut, start + ahead - cut], axis=1).reshape(-1, 2)
        counts = 2 * (np.diff(rings) - 1)
        stops = np.cumsum(counts)
        points = np.insert(cut_points, stops, cut_points[stops - counts], axis=0)
        rings = np.concatenate([[0], stops + np.arange(1, len(stops) + 1)])
    return np.asarray(shapely.from_ragged_array(kind, points, (rings, polygons)), np.object_)
