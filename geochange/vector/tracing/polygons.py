"""Polygons from the corners of pixel regions, in pixel coordinates: (x, y) = (col, row).

A corner of a region is a point where the second difference of its mask is not zero: of the four
pixels around it, upper left - upper right - lower left + lower right. This number is its weight: 1
or -1 at a bend, 2 or -2 where the region touches itself diagonally. The corners define a region
completely, and the corners of a union of disjoint regions are the sum of theirs. So regions are
joined across block borders by adding integers, without any tolerance.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

Geometries = NDArray[np.object_]
Places = NDArray[np.int64]
"""Pixel corners as one integer each; they sort by row, then by column."""

CORNER = np.dtype([("place", np.int64), ("weight", np.int8)])
"""A corner of a region; tables of corners are sorted by region, then by place."""

Table = NDArray[np.void]
"""A structured array, here of CORNER."""

_COL_BITS = 32


def place_of(row: NDArray[np.int64], col: NDArray[np.int64]) -> Places:
    """Pixel corners from rows and columns."""
    return np.asarray((row << _COL_BITS) | col)


def row_col(place: Places) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows and columns of pixel corners."""
    return place >> _COL_BITS, place & ((1 << _COL_BITS) - 1)


def sum_corners(owner: NDArray[np.int64], corners: Table) -> tuple[NDArray[np.int64], Table]:
    """The corners of unions, sorted, with their owners; `owner` names the union of each corner."""
    order = np.lexsort((corners["place"], owner))
    owner, corners = owner[order], corners[order]
    if len(corners) == 0:
        return owner, corners
    place = corners["place"]
    new = (np.diff(owner, prepend=-1) != 0) | (np.diff(place, prepend=-1) != 0)
    starts = np.flatnonzero(new)
    weight = np.add.reduceat(corners["weight"], starts)
    left = starts[weight != 0]
    summed = corners[left]
    summed["weight"] = weight[weight != 0]
    return owner[left], summed


def expand_ranges(starts: NDArray[np.int64], lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """The integers of many spans, one span after the other."""
    before = np.cumsum(lengths) - lengths
    steps = np.arange(int(lengths.sum()), dtype=np.int64)
    return np.asarray(steps + np.repeat(starts - before, lengths))


def polygons_of(corners: Table, counts: NDArray[np.int64]) -> Geometries:
    """Valid polygons with holes; each ring has only its bends, in the order of `normalize`.

    corners: of each region in turn. counts: the number of corners of each region. The pixels of a
    region are connected by edges: it has one outer ring, which passes its first corner.
    """
    if len(counts) == 0:
        return np.empty(0, np.object_)
    times = np.abs(corners["weight"].astype(np.int64))
    region = np.repeat(np.repeat(np.arange(len(counts)), counts), times)
    row, col = (np.repeat(each, times) for each in row_col(corners["place"]))
    ends, order = _edges(region, (row, col), corners["weight"], times)
    steps, stops = _trace_rings(order)
    ring = ends[steps].ravel()
    firsts = ring[2 * np.concatenate([[0], stops[:-1]])]
    closed = np.insert(ring, 2 * stops, firsts)
    rings = np.bincount(region[firsts], minlength=len(counts))
    points = np.stack([col[closed], row[closed]], axis=1).astype(np.float64)
    offsets = (
        np.concatenate([[0], 2 * stops + np.arange(1, len(stops) + 1)]),
        np.concatenate([[0], np.cumsum(rings)]),
    )
    polygons = shapely.from_ragged_array(shapely.GeometryType.POLYGON, points, offsets)
    return np.asarray(shapely.normalize(polygons), dtype=np.object_)


def _edges(
    region: NDArray[np.int64],
    row_col: tuple[NDArray[np.int64], NDArray[np.int64]],
    weight: NDArray[np.int8],
    times: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The edges along rows: (edge, 2) the vertices of its start and end, and the next edge.

    Vertices are corners; those of weight 2 and -2 count twice. By rows, vertices 2k and 2k + 1
    bound edge k; by columns likewise. The region lies to the right of each edge.
    """
    row, col = row_col
    second = np.ones(len(row), np.bool_)
    second[np.cumsum(times) - times] = False
    sign = np.repeat(np.sign(weight), times)
    # Where a region touches itself diagonally, rings turn towards the empty pixels, so that no ring
    # passes a point twice and the polygon is valid.
    second ^= np.repeat(weight == 2, times)
    by_column = np.lexsort((second, row, col, region)).reshape(-1, 2)
    along_column = np.empty(len(row), np.int64)
    along_column[by_column] = by_column[:, ::-1]
    ends = np.arange(len(row)).reshape(-1, 2)
    backward = sign[0::2] < 0
    ends[backward] = ends[backward, ::-1]
    return ends, along_column[ends[:, 1]] // 2


def _trace_rings(order: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The cycles of a permutation, sorted by their smallest members, and their ends."""
    following, seen = order.tolist(), bytearray(len(order))
    steps: list[int] = []
    stops: list[int] = []
    for start in range(len(following)):
        if seen[start]:
            continue
        at = start
        while not seen[at]:
            seen[at] = True
            steps.append(at)
            at = following[at]
        stops.append(len(steps))
    return np.array(steps, np.int64), np.array(stops, np.int64)
