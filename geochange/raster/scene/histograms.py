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

DARK_GROUND = (2.0, 20.0)
"""The percentiles of a date that are ground even under much cloud: its light is measured by them."""

LEAST_SPREAD = 0.1
"""The least distance of DARK_GROUND, as a share of the range. That of water is a matter of its waves."""

WHITE_8BIT = 250
"""8-bit pixels at least this bright in every band are saturated and always count as cloud."""


def distances(before: Values, after: Values) -> tuple[float, ...]:
    """The earth mover's distance of the histograms as a share of their common range, by band.

    0 means equal histograms. 1 means that one date is at the bottom and the other at the top.
    """
    if len(before) == 0 or len(after) == 0:
        return ()
    before, after = thinned(before), thinned(after)
    low, high = np.percentile(np.concatenate([before, after]), RANGE, axis=0)
    # For one-dimensional histograms it is the mean distance of equal ranks.
    ranked = [np.quantile(values.astype(np.float64), RANKS, axis=0) for values in (before, after)]
    moved = np.abs(ranked[0] - ranked[1]).mean(axis=0)
    share = np.where(high > low, moved / np.where(high > low, high - low, 1), moved > 0)
    return tuple(np.minimum(share, 1).tolist())


def cloud_shares(before: Values, after: Values) -> tuple[float, float]:
    """The share of pixels that are as bright as cloud at each date, and not at the other.

    before, after: the values of the same pixels; without any, both shares are 0. The clearer date sets
    the limit, so a date that is half cloud does not hide it. Each date is measured by its own dark
    ground, because light, gain and data type may differ. White roofs and sand that stay are none.
    """
    if len(before) == 0 or len(after) == 0:
        return 0.0, 0.0
    dates = [thinned(values) for values in (before, after)]
    first, second = (_by_dark_ground(values.astype(np.float64)) for values in dates)
    bright = np.minimum(_brightest_ground(first), _brightest_ground(second))
    cloudy = [
        (light > bright).all(axis=1) | _is_white(values)
        for light, values in zip((first, second), dates, strict=True)
    ]
    return float((cloudy[0] & ~cloudy[1]).mean()), float((cloudy[1] & ~cloudy[0]).mean())


def _brightest_ground(values: NDArray[np.float64]) -> NDArray[np.float64]:
    middle, most = np.percentile(values, (50, 95), axis=0)
    return np.asarray(middle + CLOUD_BRIGHTNESS * (most - middle))


def _by_dark_ground(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values relative to the dark ground of their date: 0 at its lower percentile, 1 at its upper."""
    (low, high), most = (
        np.percentile(values, DARK_GROUND, axis=0),
        np.percentile(values, 95, axis=0),
    )
    spread = np.maximum(high - low, LEAST_SPREAD * (most - low))
    return np.asarray((values - low) / np.where(spread > 0, spread, 1))


def _is_white(values: Values) -> NDArray[np.bool_]:
    if values.dtype != np.uint8:
        return np.zeros(len(values), np.bool_)
    return np.asarray((values >= WHITE_8BIT).all(axis=1))


def thinned(values: Values) -> Values:
    """At most ENOUGH_PX of the pixels, evenly chosen."""
    return values[:: -(-len(values) // ENOUGH_PX)]
