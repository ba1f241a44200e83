"""Tones: what two histograms say of a pair before anything is compared pixel by pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[Any]
"""(pixel, band) numbers of one date."""

RANGE = (1.0, 99.0)
"""Percentiles of both dates together between which distances are measured."""

RANKS = (np.arange(512) + 0.5) / 512

ENOUGH_PX = 2**17
"""So many pixels of a date are enough for figures of two digits."""

CLOUD = 3.0
"""A cloud is, in every band, so many times farther above the middle than 95 % of a clear scene."""

WHITE_8BIT = 250
"""8-bit pixels as bright as this in every band are saturated, whatever is around them."""


def distances(before: Values, after: Values) -> tuple[float, ...]:
    """By band, the earth mover's distance of the histograms as a share of their common range.

    0 is the same histogram; 1 would be all of one at the bottom and all of the other at the top.
    """
    if len(before) == 0 or len(after) == 0:
        return ()
    before, after = _thinned(before), _thinned(after)
    low, high = np.percentile(np.concatenate([before, after]), RANGE, axis=0)
    # In one dimension it is the mean distance of equal ranks.
    ranked = [np.quantile(values.astype(np.float64), RANKS, axis=0) for values in (before, after)]
    moved = np.abs(ranked[0] - ranked[1]).mean(axis=0)
    share = np.where(high > low, moved / np.where(high > low, high - low, 1), moved > 0)
    return tuple(np.minimum(share, 1).tolist())


def cloud_shares(before: Values, after: Values) -> tuple[float, float]:
    """The share of each date's pixels that look like cloud; 0 for a date without pixels.

    The date with less of it is the measure, so that one that is half cloud has no say in it.
    """
    if len(before) == 0 or len(after) == 0:
        return 0.0, 0.0
    first, second = _thinned(before).astype(np.float64), _thinned(after).astype(np.float64)
    bright = np.minimum(*(_brightest_ground(values) for values in (first, second)))
    return _share(first, bright, before.dtype), _share(second, bright, after.dtype)


def _brightest_ground(values: NDArray[np.float64]) -> NDArray[np.float64]:
    middle, most = np.percentile(values, (50, 95), axis=0)
    return np.asarray(middle + CLOUD * (most - middle))


def _share(values: Values, bright: NDArray[np.float64], dtype: np.dtype[Any]) -> float:
    cloudy = (values > bright).all(axis=1)
    if dtype == np.uint8:
        cloudy |= (values >= WHITE_8BIT).all(axis=1)
    return float(cloudy.mean())


def _thinned(values: Values) -> Values:
    return values[:: -(-len(values) // ENOUGH_PX)]
