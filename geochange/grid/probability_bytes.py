"""Probability of change as a byte, on disk and for the polygons."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

NODATA = 255
MAX_BYTE = 254
"""0 is 0 %, 254 is 100 %, 255 is no data."""


STRIP_ROWS = 32
"""The number of rows at once, so that intermediate values fit in the processor's cache."""


def to_bytes(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Logits of change to bytes, (height, width); NaN is no data."""
    kept = np.empty(logits.shape, np.uint8)
    for row in range(0, len(logits), STRIP_ROWS):
        _fill(kept[row : row + STRIP_ROWS], logits[row : row + STRIP_ROWS])
    return kept


def _fill(kept: NDArray[np.uint8], logits: NDArray[np.float32]) -> None:
    missing = np.isnan(logits)
    scaled = np.negative(logits)
    with np.errstate(over="ignore"):
        np.exp(scaled, out=scaled)
        scaled += 1
        np.divide(1, scaled, out=scaled)
    scaled *= np.float32(MAX_BYTE)
    np.rint(scaled, out=scaled)
    scaled[missing] = NODATA
    kept[:] = scaled


def threshold_byte(threshold: float) -> int:
    """The smallest byte that counts as change at a `threshold` in 0..1; never 0, never nodata."""
    # Rounded first: 0.5 * 254 is exact, but the last bit of 0.1 * 254 must not add one.
    return min(MAX_BYTE, max(1, math.ceil(round(threshold * MAX_BYTE, 9))))
