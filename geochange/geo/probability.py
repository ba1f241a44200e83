"""How a probability of change is kept in a byte, on disk and for the polygons."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

NODATA = 255
FULL = 254
"""0 is 0 %, 254 is 100 %, 255 is no data."""


def to_bytes(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Logits of change to bytes; NaN is no data."""
    missing = np.isnan(logits)
    with np.errstate(over="ignore"):
        probability = 1 / (1 + np.exp(-logits))
    scaled = np.rint(np.where(missing, np.float32(0), probability) * np.float32(FULL))
    kept = scaled.astype(np.uint8)
    kept[missing] = NODATA
    return kept


def level(threshold: float) -> int:
    """The smallest byte that counts as change at a `threshold` in 0..1; never 0, never nodata."""
    # Rounding first: 0.5 * 254 is exact, but 0.1 * 254 must not become one more by its last bit.
    return min(FULL, max(1, math.ceil(round(threshold * FULL, 9))))
