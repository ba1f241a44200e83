"""Miniature: a small picture of a raster, gathered while its blocks are read for something else.

A raster without overviews would have to be read from end to end for it, or be shown in spots.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.grid.tiling import Window

Small = tuple[NDArray[Any], NDArray[np.bool_]]
"""(rows, cols, band) of cells, and which hold data."""

SHOWN_BANDS = 3
"""Of a date: red, green and blue, or the first."""

SAMPLES = 3
"""Along each side of a cell: it shows the mean of so many pixels, evenly spread."""


@dataclass(frozen=True)
class Cells:
    """One axis of a raster in cells of `cell_px`; what is left over at the end is in none.

    A cell belongs to whoever owns its middle pixel, so that no cell is without a pixel.
    """

    size_px: int
    cell_px: int

    @property
    def offsets(self) -> list[int]:
        """Of the pixels that are looked at, from the start of their cell; its middle is one."""
        return sorted({self.cell_px * (2 * i + 1) // (2 * SAMPLES) for i in range(SAMPLES)})

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.owned(0, self.size_px))

    def owned(self, start: int, stop: int) -> range:
        """Those whose middle lies in start..stop."""
        return self._with(self.cell_px // 2, start, stop)

    def _with(self, offset: int, start: int, stop: int) -> range:
        """Those whose pixel at `offset` lies in start..stop."""
        return range(-(-(start - offset) // self.cell_px), -(-(stop - offset) // self.cell_px))

    def picked(self, offset: int, cells: range, start: int, stop: int) -> tuple[slice, slice]:
        """Which of some cells have the pixel at `offset` in start..stop, and those pixels.

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
    """A raster of `shape` with no more than `longest` cells along either side."""

    shape: tuple[int, int]
    longest: int

    @cached_property
    def axes(self) -> tuple[Cells, Cells]:
        """From top to bottom and from left to right."""
        cell_px = -(-max(self.shape) // self.longest)
        rows, cols = (Cells(size, min(cell_px, size)) for size in self.shape)
        return rows, cols

    @property
    def full_window(self) -> Window:
        """All cells."""
        return Window(0, 0, self.axes[0].count, self.axes[1].count)

    def owned(self, window: Window) -> Window:
        """The cells of a window of the raster; windows side by side share none."""
        rows = self.axes[0].owned(window.row, window.row_stop)
        cols = self.axes[1].owned(window.col, window.col_stop)
        return Window(rows.start, cols.start, len(rows), len(cols))


class ThumbnailBuilder:
    """Some cells of a miniature, as they come to be seen; of what is never seen they hold nothing."""

    def __init__(self, miniature: Thumbnail, cells: Window, like: NDArray[Any]) -> None:
        """like: (band,) of the dtype and as many bands as are wanted."""
        self.miniature, self.cells, self.like = miniature, cells, like
        self._total = np.zeros((cells.height, cells.width, len(like)), np.float32)
        self._count = np.zeros((cells.height, cells.width), np.float32)

    def add(self, window: Window, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> None:
        """Look at a window: (height, width, band) pixels, and which of them hold data."""
        (down, right), cells = self.miniature.axes, self.cells
        rows = range(cells.row, cells.row_stop), window.row, window.row_stop
        cols = range(cells.col, cells.col_stop), window.col, window.col_stop
        for low, left in product(down.offsets, right.offsets):
            (row, from_row), (col, from_col) = down.picked(low, *rows), right.picked(left, *cols)
            there = valid[from_row, from_col]
            picked = pixels[from_row, from_col, : len(self.like)]
            self._total[row, col] += np.where(there[..., None], picked, picked.dtype.type(0))
            self._count[row, col] += there

    def seen(self) -> Small:
        """What the cells show, and which of them hold data."""
        means = self._total / np.maximum(self._count, 1)[..., None]
        if self.like.dtype.kind in "ui":
            means = np.rint(means)
        return means.astype(self.like.dtype), self._count > 0
