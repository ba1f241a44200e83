"""Thumbnails: small images of a raster, collected while a run reads its blocks.

Without this, a raster without overviews would have to be read a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.grid.tiling import Window

ThumbnailPixels = tuple[NDArray[Any], NDArray[np.bool_]]
"""(rows, cols, band) values of cells, and their validity (rows, cols)."""

SHOWN_BANDS = 3
"""The most bands of a thumbnail: red, green and blue, or the first bands."""

SAMPLES = 3
"""The number of samples along each side of a cell. A cell shows their mean."""


@dataclass(frozen=True)
class AxisCells:
    """One axis of a raster, divided into cells of `cell_px`. A remainder at the end is in no cell.

    A cell belongs to the block that holds its middle pixel. So every cell has a pixel.
    """

    size_px: int
    cell_px: int

    @property
    def offsets(self) -> list[int]:
        """The offsets of the sampled pixels in their cell. One of them is the middle."""
        return sorted({self.cell_px * (2 * i + 1) // (2 * SAMPLES) for i in range(SAMPLES)})

    @property
    def count(self) -> int:
        """The number of cells."""
        return len(self.owned(0, self.size_px))

    def owned(self, start: int, stop: int) -> range:
        """The cells whose middle lies in start..stop."""
        return self._with(self.cell_px // 2, start, stop)

    def _with(self, offset: int, start: int, stop: int) -> range:
        """The cells whose pixel at `offset` lies in start..stop."""
        return range(-(-(start - offset) // self.cell_px), -(-(stop - offset) // self.cell_px))

    def sample_slices(
        self, offset: int, cells: range, start: int, stop: int
    ) -> tuple[slice, slice]:
        """Which of `cells` have their pixel at `offset` in start..stop, and these pixels.

        The slices count from the first of `cells` and from `start`.
        """
        there = self._with(offset, start, stop)
        low = max(cells.start, there.start)
        high = max(low, min(cells.stop, there.stop))
        pixel = low * self.cell_px + offset - start
        return (
            slice(low - cells.start, high - cells.start),
            slice(pixel, pixel + (high - low) * self.cell_px, self.cell_px),
        )


@dataclass(frozen=True)
class Thumbnail:
    """The layout of a thumbnail of a raster of `shape`, with at most `longest` cells per side."""

    shape: tuple[int, int]
    longest: int

    @cached_property
    def axes(self) -> tuple[AxisCells, AxisCells]:
        """The cells from top to bottom and from left to right."""
        cell_px = -(-max(self.shape) // self.longest)
        rows, cols = (AxisCells(size, min(cell_px, size)) for size in self.shape)
        return rows, cols

    @property
    def full_window(self) -> Window:
        """The window of all cells."""
        return Window(0, 0, self.axes[0].count, self.axes[1].count)

    def owned(self, window: Window) -> Window:
        """The cells of a window of the raster. Adjacent windows share no cell."""
        rows = self.axes[0].owned(window.row, window.row_stop)
        cols = self.axes[1].owned(window.col, window.col_stop)
        return Window(rows.start, cols.start, len(rows), len(cols))


class ThumbnailBuilder:
    """Collects cells of a thumbnail from windows of the raster. Cells without data stay invalid."""

    def __init__(self, miniature: Thumbnail, cells: Window, like: NDArray[Any]) -> None:
        """like: an array (band,) with the dtype and the number of bands of the pixels."""
        self.miniature, self.cells, self.like = miniature, cells, like
        self._total = np.zeros((cells.height, cells.width, len(like)), np.float32)
        self._count = np.zeros((cells.height, cells.width), np.float32)

    def add(self, window: Window, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        """Add a window: (height, width, band) pixels and their validity."""
        (down, right), cells = self.miniature.axes, self.cells
        rows = range(cells.row, cells.row_stop), window.row, window.row_stop
        cols = range(cells.col, cells.col_stop), window.col, window.col_stop
        for low, left in product(down.offsets, right.offsets):
            (row, from_row), (col, from_col) = (
                down.sample_slices(low, *rows),
                right.sample_slices(left, *cols),
            )
            there = valid[from_row, from_col]
            picked = pixels[from_row, from_col, : len(self.like)]
            self._total[row, col] += np.where(there[..., None], picked, picked.dtype.type(0))
            self._count[row, col] += there

    def values(self) -> ThumbnailPixels:
        """The values of the cells, and their validity."""
        means = self._total / np.maximum(self._count, 1)[..., None]
        if self.like.dtype.kind in "ui":
            means = np.rint(means)
        return means.astype(self.like.dtype), self._count > 0
