"""Pictures as the graphs take them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Pixels
from geochange.errors import InputError

STRIDE = 32
"""Height and width of a graph's pictures are multiples of this."""


def picture_of(pixels: Pixels) -> NDArray[np.float32]:
    """(H, W, 3) RGB in 0-255 -> (1, 3, H, W) float32. Raises InputError for others."""
    if pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(f"pixels of shape {pixels.shape}: RGB of both dates is needed")
    if pixels.dtype != np.uint8:
        low, high = float(pixels.min()), float(pixels.max())
        if not (low >= 0.0 and high <= 255.0):
            raise InputError(
                f"pixels from {low:g} to {high:g}: ChangeCLIP takes 8-bit RGB, so stretch the "
                "rasters to 0-255 first"
            )
    return np.ascontiguousarray(np.moveaxis(pixels, 2, 0)[None], np.float32)


def pad(pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """Repeat the last row and column until both sides are multiples of STRIDE."""
    down, right = (-side % STRIDE for side in pictures.shape[-2:])
    if not down and not right:
        return np.ascontiguousarray(pictures)
    sides = [(0, 0)] * (pictures.ndim - 2) + [(0, down), (0, right)]
    return np.pad(pictures, sides, mode="edge")
