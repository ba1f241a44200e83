"""Regions of change of one block: connected pixels with their statistics and corners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.grid.probability_bytes import NODATA
from geochange.grid.tiling import Window
from geochange.land_cover import CLASSES
from geochange.vector.tracing.polygons import (
    CORNER,
    Geometries,
    Places,
    Table,
    expand_ranges,
    place_of,
    polygons_of,
)

Ints = NDArray[np.int64]
Borders = tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]

NO_DATA_LABEL = -1
"""On a border: a pixel without data. 0 is no change, k the k-th region of the block."""


def region_type(classes: int) -> np.dtype[np.void]:
    """The statistics of a region, with counts of this many land classes."""
    return np.dtype(
        [
            ("first", np.int64),
            ("pixels", np.int64),
            ("total", np.int64),
            ("peak", np.uint8),
            ("at_edge", np.bool_),
            ("corners", np.int32),
            ("land", np.int32, (2, classes)),
        ]
    )


REGION = region_type(len(CLASSES))
"""Statistics of a region.

first: row * raster width + col of its first pixel, its name whatever the blocks.
pixels, total, peak: how many pixels, the sum and the largest of their uint8 probability.
at_edge: whether it meets the raster's edge or a pixel without data.
corners: how many rows it has in the table of corners.
land: how many of its pixels are of each class before and after; none where nothing sees it.
"""


@dataclass(frozen=True)
class Regions:
    """Connected regions of change (pixels sharing an edge).

    rows: of a `region_type`, one a region. corners: CORNER, those of each region in turn.
    """

    rows: Table
    corners: Table

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, chosen: NDArray[np.intp]) -> Regions:
        """Some of the regions, in the order of `chosen`."""
        counts = self.rows["corners"].astype(np.int64)
        starts = np.cumsum(counts) - counts
        return Regions(
            self.rows[chosen], self.corners[expand_ranges(starts[chosen], counts[chosen])]
        )

    def polygons(self) -> Geometries:
        """Their outlines in pixel coordinates, with holes."""
        return polygons_of(self.corners, self.rows["corners"].astype(np.int64))


def no_regions() -> Regions:
    """An empty table of regions."""
    return Regions(np.empty(0, REGION), np.empty(0, CORNER))


@dataclass(frozen=True)
class BlockRegions:
    """The regions of one block, and what is needed to join them to those of its neighbours.

    borders: top, bottom, left, right; NO_LAND_CLASS, 0, or the region's row + 1.
    touching: corners inside the block where regions touch diagonally.
    rim: corners, on the border of the block, of all its change taken together.
    """

    window: Window
    regions: Regions
    borders: Borders
    touching: Places
    rim: Table


def empty_block(window: Window) -> BlockRegions:
    """A block without data, of which nothing was read."""
    along, down = (
        np.full(length, NO_DATA_LABEL, np.int32) for length in (window.width, window.height)
    )
    nowhere, no_corners = np.empty(0, np.int64), np.empty(0, CORNER)
    return BlockRegions(window, no_regions(), (along, along, down, down), nowhere, no_corners)


@dataclass(frozen=True)
class _Runs:
    """Runs of change along rows, in order; pixel (row, col) has number row * (width + 1) + col.

    The number after the last pixel of a row is that of the row's last corner, so the numbers also
    name pixel corners.
    """

    start: Ints
    stop: Ints
    stride: int

    @property
    def length(self) -> Ints:
        """The pixels of each run."""
        return self.stop - self.start

    def labels(self) -> tuple[NDArray[np.int32], int]:
        """The component of each run, and the number of components."""
        from scipy.sparse import csr_array  # takes its time to import
        from scipy.sparse.csgraph import connected_components

        first_below = np.searchsorted(self.stop, self.start + self.stride, side="right")
        below = np.searchsorted(self.start, self.stop + self.stride, side="left") - first_below
        pointers = np.concatenate([[0], np.cumsum(below)])
        links = expand_ranges(first_below, below)
        graph = csr_array((np.ones(len(links), np.int8), links, pointers), shape=(len(below),) * 2)
        count, label = connected_components(graph, directed=False)
        return label, int(count)


def trace_regions(
    probability: NDArray[np.uint8],
    window: Window,
    level: int,
    width_px: int,
    land: NDArray[np.uint8] | None = None,
    classes: int = len(CLASSES),
) -> BlockRegions:
    """Find the regions of a block.

    probability: (height, width) uint8 of `window`. level: the smallest value that is change.
    width_px: width of the whole raster. land: (date, height, width) numbers of classes, of which
    there are `classes`.
    """
    runs = _find_runs(probability, level)
    label, count = runs.labels()
    owner, place, weight = _corners(runs, label)
    corners = np.empty(len(place), CORNER)
    corners["place"] = _place_on_raster(place, runs.stride, window)
    corners["weight"] = weight
    rows = _measure(probability, runs, label, (window, width_px), region_type(classes))
    rows["corners"] = np.bincount(owner, minlength=count)
    if land is not None:
        rows["land"] = _count_land(land, runs, label, (count, 2, classes))
    touching, rim = _sum_corners_by_place(place, weight, runs.stride, window)
    borders = _borders(probability, runs, label)
    return BlockRegions(window, Regions(rows, corners), borders, touching, rim)


def _find_runs(probability: NDArray[np.uint8], level: int) -> _Runs:
    height, width = probability.shape
    # One pixel without change before all and one after each row, so that runs end with rows.
    framed = np.zeros(1 + height * (width + 1), np.bool_)
    inner = framed[1:].reshape(height, width + 1)[:, :width]
    # One comparison tests both: modulo 256, values below the level become large.
    np.less(probability - np.uint8(level), np.uint8(NODATA - level), out=inner)
    turns = np.flatnonzero(framed[1:] != framed[:-1])
    return _Runs(turns[0::2], turns[1::2], width + 1)


def _corners(runs: _Runs, label: NDArray[np.int32]) -> tuple[Ints, Ints, NDArray[np.int8]]:
    """(owner, place, weight) of all corners, by owner, then place; places are numbers of `runs`.

    A run has four corners; those of a region are the sum of those of its runs.
    """
    below = (runs.start + runs.stride, runs.stop + runs.stride)
    place = np.concatenate([runs.start, below[1], runs.stop, below[0]])
    # The owner in the high bits, the sign in the lowest: a single sort of integers is enough.
    bits = int(place.max(initial=0)).bit_length()
    key = (np.tile(label.astype(np.int64), 4) << bits | place) << 1
    key[len(key) // 2 :] |= 1
    key.sort()
    weight = 1 - 2 * (key & 1)
    key >>= 1
    starts = np.flatnonzero(np.diff(key, prepend=-1))
    total = np.add.reduceat(weight, starts) if len(starts) else weight
    key, total = key[starts[total != 0]], total[total != 0]
    return key >> bits, key & ((1 << bits) - 1), total.astype(np.int8)


def _place_on_raster(place: Ints, stride: int, window: Window) -> Places:
    row, col = np.divmod(place, stride)
    return place_of(row + window.row, col + window.col)


def _sum_corners_by_place(
    place: Ints, weight: NDArray[np.int8], stride: int, window: Window
) -> tuple[Places, Table]:
    """(touching, rim) of BlockRegions, from the corners of all regions."""
    order = np.argsort(place)
    place, weight = place[order], weight[order]
    # Two regions share a corner only where they touch diagonally.
    twice = place[1:] == place[:-1]
    touching = np.concatenate([place[np.abs(weight) == 2], place[1:][twice]])
    row, col = np.divmod(place, stride)
    outer = (row == 0) | (row == window.height) | (col == 0) | (col == window.width)
    rim = np.empty(int(outer.sum()), CORNER)
    rim["place"] = place_of(row[outer] + window.row, col[outer] + window.col)
    rim["weight"] = weight[outer]
    return _place_on_raster(touching, stride, window), rim


def _measure(
    probability: NDArray[np.uint8],
    runs: _Runs,
    label: NDArray[np.int32],
    place: tuple[Window, int],
    kind: np.dtype[np.void],
) -> Table:
    """Statistics of each label, of the given type, without the count of corners.

    place: of the block, and the width of the whole raster.
    """
    window, width_px = place
    order = np.argsort(label, kind="stable")
    starts = np.flatnonzero(np.diff(label[order], prepend=-1))
    rows = np.zeros(len(starts), kind)
    if len(rows) == 0:
        return rows
    length = runs.length
    row, col = np.divmod(runs.start[order[starts]], runs.stride)
    rows["first"] = (row + window.row) * width_px + col + window.col
    rows["pixels"] = np.add.reduceat(length[order], starts)
    # Pixels alone, without the extra number after each row.
    pixel = expand_ranges(runs.start - runs.start // runs.stride, length)
    value = np.ascontiguousarray(probability).ravel()[pixel]
    firsts = np.cumsum(length) - length
    rows["total"] = np.add.reduceat(np.add.reduceat(value, firsts, dtype=np.int64)[order], starts)
    rows["peak"] = np.maximum.reduceat(np.maximum.reduceat(value, firsts)[order], starts)
    if (probability == NODATA).any():
        beside = np.logical_or.reduceat(_touches_nodata(probability, pixel), firsts)
        rows["at_edge"] = np.logical_or.reduceat(beside[order], starts)
    return rows


def _count_land(
    land: NDArray[np.uint8], runs: _Runs, label: NDArray[np.int32], shape: tuple[int, int, int]
) -> NDArray[np.int64]:
    """(region, date, class): how many pixels are of it; those without data are of none."""
    count, _, classes = shape
    pixel = expand_ranges(runs.start - runs.start // runs.stride, runs.length)
    region = np.repeat(label.astype(np.int64), runs.length)
    counts = np.zeros(shape, np.int64)
    for date, numbers in enumerate(land):
        number = numbers.ravel()[pixel].astype(np.int64)
        seen = number < classes
        key = region[seen] * classes + number[seen]
        found = np.bincount(key, minlength=count * classes)
        counts[:, date] = found.reshape(count, classes)
    return counts


def _touches_nodata(probability: NDArray[np.uint8], pixel: Ints) -> NDArray[np.bool_]:
    """Whether each pixel shares an edge with one without data."""
    framed = np.pad(probability == NODATA, 1)
    row, col = np.divmod(pixel, probability.shape[1])
    stride = framed.shape[1]
    middle, flat = (row + 1) * stride + col + 1, framed.ravel()
    return np.asarray(
        flat[middle - 1] | flat[middle + 1] | flat[middle - stride] | flat[middle + stride]
    )


def _borders(probability: NDArray[np.uint8], runs: _Runs, label: NDArray[np.int32]) -> Borders:
    sides = (probability[0], probability[-1], probability[:, 0], probability[:, -1])
    top, bottom, left, right = (
        np.where(side == NODATA, np.int32(NO_DATA_LABEL), np.int32(0)) for side in sides
    )
    row, col = np.divmod(runs.start, runs.stride)
    for border, chosen in ((top, row == 0), (bottom, row == len(left) - 1)):
        border[expand_ranges(col[chosen], runs.length[chosen])] = np.repeat(
            label[chosen] + 1, runs.length[chosen]
        )
    left[row[col == 0]] = label[col == 0] + 1
    ends = col + runs.length == len(top)
    right[row[ends]] = label[ends] + 1
    return top, bottom, left, right
