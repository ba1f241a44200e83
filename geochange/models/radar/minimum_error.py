"""Minimum-error threshold of how far values lie from no change (Kittler and Illingworth 1986)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BINS = 512
"""The number of bins of the histogram."""

LEAST_PX = 16
"""A class of fewer pixels has no deviation that is worth anything."""

Floats = NDArray[np.float64]


def minimum_error_threshold(distances: Floats) -> float | None:
    """The distance that separates unchanged from changed values with the least error.

    distances: (value,) from 0 on. None if one class describes them better than two, as in a scene
    without change.

    It minimises the criterion of Kittler and Illingworth (Pattern Recognition 19, 1986, 41-47) over
    the bins of a histogram: J(T) = sum over both classes of P ln(deviation / P), up to constants.
    Here the unchanged class is half of a normal distribution around 0, so that only its deviation is
    estimated; the changed class is normal. Bazi, Bruzzone and Melgani (IEEE TGRS 43, 2005, 874-887)
    apply the criterion to the log-ratio of two radar dates.
    """
    top = float(distances.max(initial=0.0))
    if top <= 0:
        return None
    counts, edges = np.histogram(distances, bins=BINS, range=(0.0, top))
    middle = (edges[:-1] + edges[1:]) / 2
    costs = _costs(counts.astype(np.float64), middle)
    best = int(np.argmin(costs))
    if not costs[best] < costs[-1]:
        return None
    return float(edges[best + 1])


def _costs(counts: Floats, middle: Floats) -> Floats:
    """The criterion for a threshold behind each bin; the last one is that of a single class."""
    width = middle[1] - middle[0]
    number, first, second = (np.cumsum(counts * middle**power) for power in (0, 1, 2))
    # A class within one bin still has the deviation of that bin.
    floor = width / np.sqrt(12)
    with np.errstate(divide="ignore", invalid="ignore"):
        rest = number[-1] - number
        near = np.sqrt(np.maximum(second / number, floor**2))
        mean = (first[-1] - first) / rest
        far = np.sqrt(np.maximum((second[-1] - second) / rest - mean**2, floor**2))
        share = number / number[-1]
        # Half of a normal distribution is twice as dense as all of it.
        of_near = share * (np.log(near / 2) - np.log(share))
        of_far = (1 - share) * (np.log(far) - np.log1p(-share))
    costs = of_near + of_far
    costs[(number < LEAST_PX) | (rest < LEAST_PX)] = np.inf
    costs[-1] = np.log(near[-1] / 2)
    return np.asarray(costs, np.float64)
