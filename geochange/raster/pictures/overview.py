"""Glances: small pictures of a window, at a cost that does not grow without end with the raster."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Pixels
from geochange.grid.tiling import Window
from geochange.raster.aligned import AlignedRaster, ReadWindow
from geochange.raster.lattice import Read, put
from geochange.raster.pixels import Valid

MOST_PX = 2**26
"""So many pixels may be read for a glance, or MOST_SHARE of the raster, whichever is more."""

MOST_SHARE = 1 / 64

PATCH_PX = 32
"""Side of the pieces that stand for what lies around them."""


@dataclass(frozen=True)
class Overview:
    """A small picture: (height, width, band) pixels, as the raster has them, and validity.

    sparse: whether pixels are those of spots, for there were too many to take the mean of. Such a
    picture may be smaller than what was asked for.
    """

    pixels: Pixels
    valid: Valid
    sparse: bool = False


def is_sparse(date: AlignedRaster, window: Window, longest_px: int) -> bool:
    """Whether a glance shows spots only."""
    return _cost_px(date, window, small_shape(window, longest_px)) > _budget_px(date)


def read_overview(date: AlignedRaster, window: Window, longest_px: int) -> Overview:
    """A picture of a window of the date's grid, its longer side `longest_px` at most.

    Through overviews where there are any; a huge raster without is looked at here and there, never
    from end to end. What cannot be read is invalid. Raises RunError if it can no longer be opened.
    """
    shape = small_shape(window, longest_px)
    if is_sparse(date, window, longest_px):
        return Overview(*_spots(date, window, shape), sparse=True)
    return Overview(*_thinned(date, window, shape))


def _thinned(date: AlignedRaster, window: Window, shape: tuple[int, int]) -> Read:
    """The means of a window, which may reach beyond the raster."""
    pixels = np.zeros((*shape, len(date.bands)), date.dtype)
    answer = pixels, np.zeros(shape, np.bool_)
    inside = window.intersection(date.extent)
    if inside is not None:
        scale = shape[0] / window.height, shape[1] / window.width
        part = inside.moved(-window.row, -window.col).scaled(*scale)
        read = date.thinned(inside, (part.height, part.width))
        put(answer, Window(0, 0, *shape), part, read)
    return answer


def small_shape(window: Window, longest_px: int) -> tuple[int, int]:
    """(rows, cols) of a window whose longer side is to have `longest_px` at most."""
    scale = min(1.0, longest_px / max(window.height, window.width))
    return max(1, round(window.height * scale)), max(1, round(window.width * scale))


def _budget_px(date: AlignedRaster) -> float:
    return max(MOST_PX, date.grid.full_window.pixels * MOST_SHARE)


def _cost_px(date: AlignedRaster, window: Window, shape: tuple[int, int]) -> float:
    """How many pixels must be decoded to thin a window out."""
    level = date.overview(window, shape) or 1
    rows, cols = (
        math.ceil(length / level / block) * block
        for length, block in zip((window.height, window.width), date.info.block_px, strict=True)
    )
    return float(rows * cols)


def _spots(date: AlignedRaster, window: Window, shape: tuple[int, int]) -> Read:
    """Means of small patches spread over a window, each of a block of the raster of its own."""
    block_rows, block_cols = date.info.block_px
    count = _budget_px(date) / (block_rows * block_cols)
    height = min(PATCH_PX, block_rows, window.height)
    if block_cols >= window.width:  # strips: a row of blocks has the picture's whole width
        rows, cols = min(shape[0], max(8, round(count))), 1
    else:
        ratio = math.sqrt(window.height / window.width)
        rows = min(shape[0], max(4, round(math.sqrt(count) * ratio)))
        cols = min(shape[1], max(4, round(math.sqrt(count) / ratio)))
    with date.reader(set(), finely=False) as read:
        lines = [_line(read, window, (row, rows), (cols, shape[1]), height) for row in range(rows)]
    pixels, valid = (np.stack(part) for part in zip(*lines, strict=True))
    return pixels, valid


def _line(
    read: ReadWindow, window: Window, row: tuple[int, int], cols: tuple[int, int], height: int
) -> Read:
    """One row of spots: `row` is which of how many, `cols` how many and, of strips, how many bins."""
    top = window.row + _middle(row[0], row[1], window.height, height)
    if cols[0] == 1:
        return _means(read(Window(top, window.col, height, window.width)), cols[1])
    width = min(PATCH_PX, window.width)
    lefts = (window.col + _middle(col, cols[0], window.width, width) for col in range(cols[0]))
    spots = [_means(read(Window(top, left, height, width)), 1) for left in lefts]
    pixels, valid = (np.concatenate(part) for part in zip(*spots, strict=True))
    return pixels, valid


def _middle(index: int, count: int, length: int, size: int) -> int:
    """Where a piece of `size` begins that lies in the middle of one part of `count`."""
    return min(length - size, max(0, round((index + 0.5) * length / count - size / 2)))


def _means(read: Read, bins: int) -> Read:
    """(bin, band) mean of what is valid in each of the bins that a piece is cut into by columns."""
    pixels, valid = read
    starts = np.arange(bins) * pixels.shape[1] // bins
    weight = valid.astype(np.float32)
    count = np.add.reduceat(weight.sum(axis=0), starts)
    total: NDArray[np.float32] = np.add.reduceat(
        (np.nan_to_num(pixels).astype(np.float32) * weight[..., None]).sum(axis=0), starts
    )
    means = total / np.maximum(count, 1)[:, None]
    if pixels.dtype.kind in "ui":
        means = np.rint(means)
    return means.astype(pixels.dtype), count > 0
