"""Smooths a picture, strip by strip, in the processor's cache."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

STRIP_VALUES = 2**15
"""The values of a strip. A few float32 arrays of this size fit into the cache of a core."""

Picture = NDArray[np.float32]
"""(height, width)."""


def smooth(picture: Picture, sigma_px: float) -> Picture:
    """Gaussian filter of (height, width) float32, mirrored at the border.

    The taps are added one after the other, so that the bits of a pixel do not depend on the strip.
    """
    taps = _taps(sigma_px)
    radius = len(taps) // 2
    height, width = picture.shape
    down, answer = np.empty_like(picture), np.empty_like(picture)
    padded = picture.take(_mirrored(height, radius), axis=0)
    for rows in strips(height, width):
        shifted = [padded[rows.start + i : rows.stop + i] for i in range(len(taps))]
        _weighted_sum(shifted, taps, down[rows])
    padded = down.take(_mirrored(width, radius), axis=1)
    for rows in strips(height, width):
        shifted = [padded[rows, i : i + width] for i in range(len(taps))]
        _weighted_sum(shifted, taps, answer[rows])
    return answer


def strips(height: int, width: int) -> Iterator[slice]:
    """Slices of whole rows, each with about STRIP_VALUES values."""
    step = max(1, STRIP_VALUES // max(1, width))
    return (slice(row, min(height, row + step)) for row in range(0, height, step))


def _taps(sigma_px: float) -> NDArray[np.float32]:
    radius = math.ceil(3 * sigma_px)
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma_px) ** 2)
    return np.asarray(bell / bell.sum(), np.float32)


def _mirrored(size: int, radius: int) -> NDArray[np.intp]:
    """Positions -radius..size+radius-1 mirrored into 0..size-1."""
    index = np.arange(-radius, size + radius) % (2 * size)
    return np.asarray(np.minimum(index, 2 * size - 1 - index))


def _weighted_sum(pictures: list[Picture], weights: NDArray[np.float32], out: Picture) -> None:
    np.multiply(pictures[0], weights[0], out=out)
    scaled = np.empty_like(out)
    for picture, weight in zip(pictures[1:], weights[1:], strict=True):
        out += np.multiply(picture, weight, out=scaled)
