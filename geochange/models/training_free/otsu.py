"""Otsu's threshold: the value that best separates numbers in two classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 512


def otsu_threshold(values: NDArray[np.floating]) -> float:
    """The value with the largest variance between the numbers up to it and those above (Otsu 1979).

    It is the middle of one of BINS bins. values: (pixel,), not all equal.
    """
    from skimage.filters import threshold_otsu

    return float(threshold_otsu(values, nbins=BINS))
