"""Overlap: the number of pixels of each region in each tile, counted exactly from corners alone.

The mask of a region is the cumulative sum, down and to the right, of the weights of its corners. A
corner therefore adds its weight times the pixels of the window below and to the right of it. No
region is rasterised, however large it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.grid.tiling import Axis, TilePlan
from geochange.vector.tracing.polygons import expand_ranges, row_col
from geochange.vector.tracing.regions import Ints, Regions

MAX_PAIRS = 1 << 20
"""The most pairs of a corner and a tile that are processed at once."""


@dataclass(frozen=True)
class Overlap:
    """Pairs of a region and a tile that share pixels, with their number: arrays of one length."""

    region: Ints
    tile_row: Ints
    tile_col: Ints
    pixels: Ints

    def __len__(self) -> int:
        return len(self.pixels)

    def take(self, chosen: NDArray[np.intp]) -> Overlap:
        """The chosen pairs."""
        parts = (self.region, self.tile_row, self.tile_col, self.pixels)
        return Overlap(*(part[chosen] for part in parts))


@dataclass(frozen=True)
class _Spans:
    """Along one axis: the start of each tile, its length, and the tiles that each region may touch."""

    start: Ints
    tile_px: int
    first: Ints
    stop: Ints

    @classmethod
    def of(cls, axis: Axis, low: Ints, high: Ints) -> _Spans:
        """Regions reach from pixel `low` to the pixel before `high`."""
        start = np.array([axis.start(tile) for tile in range(axis.tiles)], np.int64)
        first = np.searchsorted(start + axis.tile_px, low, side="right")
        return cls(start, axis.tile_px, first, np.searchsorted(start, high))

    @property
    def tiles(self) -> Ints:
        """The number of tiles that each region may touch."""
        return self.stop - self.first

    def beyond(self, tile: Ints, place: Ints) -> Ints:
        """The number of pixels of a tile at or after a place, by broadcasting."""
        return np.asarray(np.clip(self.start[tile] + self.tile_px - place, 0, self.tile_px))


@dataclass(frozen=True)
class _Corners:
    """The corners of all regions in turn; those of a region begin at `start` and are `count`."""

    row: Ints
    col: Ints
    weight: Ints
    start: Ints
    count: Ints


def count_overlaps(regions: Regions, plan: TilePlan) -> Iterator[Overlap]:
    """All pairs of a region and a tile that share pixels, in batches of regions.

    A pixel in several tiles counts for each of them.
    """
    if len(regions) == 0:
        return
    row, col = row_col(regions.corners["place"])
    count = regions.rows["corners"].astype(np.int64)
    start = np.cumsum(count) - count
    weight = regions.corners["weight"].astype(np.int64)
    corners = _Corners(row, col, weight, start, count)
    rows, cols = (
        _Spans.of(axis, np.minimum.reduceat(at, start), np.maximum.reduceat(at, start))
        for axis, at in ((plan.rows, row), (plan.cols, col))
    )
    effort = count * rows.tiles * cols.tiles
    for few in _runs(effort):
        large = len(few) == 1 and effort[few[0]] > MAX_PAIRS
        found = (
            _count_large(corners, few[0], rows, cols)
            if large
            else _count_small(corners, few, rows, cols)
        )
        yield found.take(np.flatnonzero(found.pixels))


def _runs(effort: Ints) -> Iterator[Ints]:
    """Consecutive regions, with at most MAX_PAIRS pairs in total, or one region alone."""
    first = 0
    while first < len(effort):
        reach = np.cumsum(effort[first : first + MAX_PAIRS])
        stop = first + max(1, int(np.searchsorted(reach, MAX_PAIRS, side="right")))
        yield np.arange(first, stop)
        first = stop


def _count_small(corners: _Corners, few: Ints, rows: _Spans, cols: _Spans) -> Overlap:
    """Every corner of each region against every tile that the region may touch."""
    tiles = rows.tiles[few] * cols.tiles[few]
    region = np.repeat(few, tiles)
    down, right = np.divmod(expand_ranges(np.zeros_like(tiles), tiles), cols.tiles[region])
    tile_row, tile_col = rows.first[region] + down, cols.first[region] + right
    count = corners.count[region]
    corner = expand_ranges(corners.start[region], count)
    pair = np.repeat(np.arange(len(region)), count)
    high = rows.beyond(tile_row[pair], corners.row[corner])
    wide = cols.beyond(tile_col[pair], corners.col[corner])
    pixels = np.add.reduceat(corners.weight[corner] * high * wide, np.cumsum(count) - count)
    return Overlap(region, tile_row, tile_col, pixels)


def _count_large(corners: _Corners, region: np.int64, rows: _Spans, cols: _Spans) -> Overlap:
    """One region, in batches of corners; memory holds 16 bytes for each tile it may touch.

    Corners are sorted by rows. They add the same to all tiles that start below them, which is
    stored once, at the first.
    """
    tile_row = np.arange(rows.first[region], rows.stop[region])
    tile_col = np.arange(cols.first[region], cols.stop[region])
    pixels, alike = np.zeros((2, len(tile_row), len(tile_col)), np.int64)
    start, count = int(corners.start[region]), int(corners.count[region])
    step = max(1, MAX_PAIRS // len(tile_col))
    for low in range(start, start + count, step):
        some = slice(low, min(low + step, start + count))
        row, col, weight = corners.row[some], corners.col[some, None], corners.weight[some, None]
        wide = weight * cols.beyond(tile_col, col)
        reached = int(np.searchsorted(rows.start[tile_row] + rows.tile_px, row[0], side="right"))
        below = int(np.searchsorted(rows.start[tile_row], row[-1]))
        if below < len(tile_row):
            alike[below] += rows.tile_px * wide.sum(axis=0)
        among = tile_row[reached:below]
        high = rows.beyond(among, row[:, None])
        # Integers far below 2**53, which floating point adds exactly in any order.
        product = high.T.astype(np.float64) @ wide.astype(np.float64)
        pixels[reached:below] += product.astype(np.int64)
    pixels += np.cumsum(alike, axis=0)
    at = np.indices(pixels.shape).reshape(2, -1)
    owner = np.full(pixels.size, region)
    return Overlap(owner, tile_row[at[0]], tile_col[at[1]], pixels.ravel())
