"""Overviews: small images of a window, with a limit on the number of pixels that are read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Pixels
from geochange.grid.tiling import Window
from geochange.raster.cell_grid import PixelsAndMask, paste_window
from geochange.raster.valid_pixels import Valid
from geochange.raster.warped_raster import ReadWindow, WarpedRaster

MOST_PX = 2**26
"""The number of pixels that may be read for one overview, or MAX_RASTER_SHARE of the raster if larger."""

MAX_RASTER_SHARE = 1 / 64

QUICK_PX = 2**23
"""So many pixels are decoded in some tenths of a second."""

PATCH_PX = 32
"""The side of the patches that represent their surroundings."""


@dataclass(frozen=True)
class Overview:
    """A small image: pixels (height, width, band) with the values of the raster, and validity.

    sparse: whether each pixel shows a patch only, because the raster is too large to read. Such an image
    may be smaller than requested.
    """

    pixels: Pixels
    valid: Valid
    sparse: bool = False


def is_sparse(date: WarpedRaster, window: Window, longest_px: int) -> bool:
    """Whether an overview would be sparse."""
    return _decodes_more(date, window, longest_px, _budget_px(date))


def is_slow(date: WarpedRaster, window: Window, longest_px: int) -> bool:
    """Whether an overview would decode many pixels, or be sparse."""
    return _decodes_more(date, window, longest_px, min(QUICK_PX, _budget_px(date)))


def _decodes_more(date: WarpedRaster, window: Window, longest_px: int, limit_px: float) -> bool:
    if _decoded_px(date, window) <= limit_px:
        return False  # without a look at overviews: their factor needs the CRSs of a warped date
    level = date.overview(window, small_shape(window, longest_px)) or 1
    return _decoded_px(date, window, level) > limit_px


def read_overview(date: WarpedRaster, window: Window, longest_px: int) -> Overview:
    """An image of a window of the date's grid, whose longer side has at most `longest_px`.

    It uses the raster's overviews if there are any. Of a huge raster without overviews, only patches
    are read. Unreadable pixels are invalid. Raises RunError if the raster can no longer be opened.
    """
    shape = small_shape(window, longest_px)
    if is_sparse(date, window, longest_px):
        return Overview(*_patch_means(date, window, shape), sparse=True)
    return Overview(*_thinned(date, window, shape))


def _thinned(date: WarpedRaster, window: Window, shape: tuple[int, int]) -> PixelsAndMask:
    """The mean pixels of a window, which may exceed the raster."""
    pixels = np.zeros((*shape, len(date.bands)), date.dtype)
    answer = pixels, np.zeros(shape, np.bool_)
    inside = window.intersection(date.extent)
    if inside is not None:
        scale = shape[0] / window.height, shape[1] / window.width
        part = inside.moved(-window.row, -window.col).scaled(*scale)
        read = date.read_thinned(inside, (part.height, part.width))
        paste_window(answer, Window(0, 0, *shape), part, read)
    return answer


def small_shape(window: Window, longest_px: int) -> tuple[int, int]:
    """(rows, cols) of an image of a window whose longer side has at most `longest_px`."""
    scale = min(1.0, longest_px / max(window.height, window.width))
    return max(1, round(window.height * scale)), max(1, round(window.width * scale))


def _budget_px(date: WarpedRaster) -> float:
    return max(MOST_PX, date.grid.full_window.pixels * MAX_RASTER_SHARE)


def _decoded_px(date: WarpedRaster, window: Window, level: int = 1) -> float:
    """The number of pixels to decode for the mean pixels of a window, from an overview."""
    rows, cols = (
        math.ceil(length / level / block) * block
        for length, block in zip((window.height, window.width), date.info.block_px, strict=True)
    )
    return float(rows * cols)


def _patch_means(date: WarpedRaster, window: Window, shape: tuple[int, int]) -> PixelsAndMask:
    """Means of small patches, spread over a window. Each patch lies in its own block of the raster."""
    block_rows, block_cols = date.info.block_px
    count = _budget_px(date) / (block_rows * block_cols)
    height = min(PATCH_PX, block_rows, window.height)
    if block_cols >= window.width:  # strips: a row of blocks spans the whole width
        rows, cols = min(shape[0], max(8, round(count))), 1
    else:
        ratio = math.sqrt(window.height / window.width)
        rows = min(shape[0], max(4, round(math.sqrt(count) * ratio)))
        cols = min(shape[1], max(4, round(math.sqrt(count) / ratio)))
    with date.reader(set(), finely=False) as read:
        lines = [
            _patch_row(read, window, (row, rows), (cols, shape[1]), height) for row in range(rows)
        ]
    pixels, valid = (np.stack(part) for part in zip(*lines, strict=True))
    return pixels, valid


def _patch_row(
    read: ReadWindow, window: Window, row: tuple[int, int], cols: tuple[int, int], height: int
) -> PixelsAndMask:
    """One row of patches.

    row: its index and the number of rows. cols: the number of patches, and the number of bins if the
    raster has strips.
    """
    top = window.row + _centred_start(row[0], row[1], window.height, height)
    if cols[0] == 1:
        return _means(read(Window(top, window.col, height, window.width)), cols[1])
    width = min(PATCH_PX, window.width)
    lefts = (
        window.col + _centred_start(col, cols[0], window.width, width) for col in range(cols[0])
    )
    spots = [_means(read(Window(top, left, height, width)), 1) for left in lefts]
    pixels, valid = (np.concatenate(part) for part in zip(*spots, strict=True))
    return pixels, valid


def _centred_start(index: int, count: int, length: int, size: int) -> int:
    """The start of a piece of `size` in the middle of part `index` of `count` parts."""
    return min(length - size, max(0, round((index + 0.5) * length / count - size / 2)))


def _means(read: PixelsAndMask, bins: int) -> PixelsAndMask:
    """(bin, band) mean of the valid pixels of a piece, which is cut into bins by columns."""
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
