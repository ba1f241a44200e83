"""Compares the histograms of a pair before any pixels are compared."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
"""(pixel, band) values of one date."""

RANGE = (1.0, 99.0)
"""The percentiles of both dates that define the common range."""

RANKS = (np.arange(512) + 0.5) / 512

ENOUGH_PX = 2**17
"""The number of pixels of a date that are used, enough for two digits."""

CLOUD_BRIGHTNESS = 3.0
"""The brightness of cloud: median + CLOUD_BRIGHTNESS * (95th percentile - median) of the clearer
date, in every band."""

WHITE_8BIT = 250
"""8-bit pixels at least this bright in every band are saturated and always count as cloud."""


def distances(before: Values, after: Values) -> tuple[float, ...]:
    """The earth mover's distance of the histograms as a share of their common range, by band.

    0 means equal histograms. 1 means that one date is at the bottom and the other at the top.
    """
    if len(before) == 0 or len(after) == 0:
        return ()
    before, after = _thinned(before), _thinned(after)
    low, high = np.percentile(np.concatenate([before, after]), RANGE, axis=0)
    # For one-dimensional histograms it is the mean distance of equal ranks.
    ranked = [np.quantile(values.astype(np.float64), RANKS, axis=0) for values in (before, after)]
    moved = np.abs(ranked[0] - ranked[1]).mean(axis=0)
    share = np.where(high > low, moved / np.where(high > low, high - low, 1), moved > 0)
    return tuple(np.minimum(share, 1).tolist())


def cloud_shares(before: Values, after: Values) -> tuple[float, float]:
    """The share of cloud-like pixels at each date; 0 for a date without pixels.

    The clearer date sets the limit, so a date that is half cloud does not hide it.
    """
    if len(before) == 0 or len(after) == 0:
        return 0.0, 0.0
    first, second = _thinned(before).astype(np.float64), _thinned(after).astype(np.float64)
    bright = np.minimum(*(_brightest_ground(values) for values in (first, second)))
    return _share(first, bright, before.dtype), _share(second, bright, after.dtype)


def _brightest_ground(values: NDArray[np.float64]) -> NDArray[np.float64]:
    middle, most = np.percentile(values, (50, 95), axis=0)
    return np.asarray(middle + CLOUD_BRIGHTNESS * (most - middle))


def _share(values: Values, bright: NDArray[np.float64], dtype: np.dtype[Any]) -> float:
    cloudy = (values > bright).all(axis=1)
    if dtype == np.uint8:
        cloudy |= (values >= WHITE_8BIT).all(axis=1)
    return float(cloudy.mean())


def _thinned(values: Values) -> Values:
    return values[:: -(-len(values) // ENOUGH_PX)]
