"""Models without training for radar: `ratio` and `ratio-otsu`, the log-ratio of multi-looked dates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip, Pixels
from geochange.models.classical import SIGMA_PX, STEEPNESS
from geochange.models.protocol import Statistics
from geochange.models.radar.minimum_error import minimum_error_threshold
from geochange.models.training_free.otsu import otsu_threshold
from geochange.models.training_free.smoothing import Picture, smooth

if TYPE_CHECKING:
    import torch

    from geochange.models.inference.batch import Batch

DB_PER_LEVEL = 0.2
"""Decibels between two values of 8-bit pixels, which do not say it: 51 dB from black to white."""

LEAST_DB = 1.0
"""The least log-ratio that is change: the radiometric accuracy of Sentinel-1 (three deviations)."""

NOISE_DEVIATIONS = 4.0
"""Log-ratios within so many deviations of unchanged ground are speckle."""

QUARTER_TO_DEVIATION = 1.569
"""The deviation of normal values, divided by the length of the interval with their middle quarter."""

CLIP_DEVIATIONS, CLIP_ROUNDS = 3.0, 10
"""Unchanged values lie within so many deviations; how often both are estimated anew."""

ENOUGH_PX = 2**18
"""The approximate number of pixels from which the noise is estimated."""

MOST_BELS = 10.0
"""Powers of ten beyond which no backscatter lies."""

EMPTY = 1e-12
"""Added to the power of both dates, so that ground without data has a ratio of 1."""

Floats = NDArray[np.float64]


class LogRatio:
    """`ratio`: the log-ratio of two dates of backscatter, with a minimum-error threshold.

    Pixels are decibels (`--stretch db`). The power of each date is averaged over neighbours with a
    Gaussian, which is multi-looking: speckle gets some 50 times the number of looks. The log-ratio of
    the averages, in decibels, has noise of one size whether the ground is dark or bright. Its mean over
    unchanged ground is taken off, as rain or another calibration moves the whole scene.

    Less and more backscatter have a threshold each, in each band; see `minimum_error_threshold`. The
    band that lies farthest beyond its threshold decides. Source: Bazi, Bruzzone and Melgani, IEEE TGRS
    43 (2005) 874-887, without their generalised Gaussian.
    """

    bands: int | None = None
    threshold: float = 0.5

    def __init__(self) -> None:
        self._offset = [0.0]
        self._less = self._more = [LEAST_DB]

    def fit(self, sample: Sequence[Chip]) -> Statistics:
        """The mean and both thresholds of each band, in decibels, from all valid pixels."""
        if not sample:
            return {}
        ratios = np.concatenate([np.stack(log_ratio(chip), axis=-1)[chip.valid] for chip in sample])
        statistics: dict[str, list[float]] = {"offset": [], "less": [], "more": []}
        for values in ratios.T:
            middle, deviation = unchanged_noise(values.astype(np.float64))
            noise, moved = max(LEAST_DB, NOISE_DEVIATIONS * deviation), values - np.float64(middle)
            statistics["offset"].append(middle)
            statistics["less"].append(self._cut(-moved[moved < 0], noise))
            statistics["more"].append(self._cut(moved[moved > 0], noise))
        return statistics

    def _cut(self, distances: Floats, noise: float) -> float:
        """The threshold of one side, in decibels, at least `noise`."""
        found = minimum_error_threshold(distances)
        return noise if found is None else max(noise, found)

    def adopt(self, statistics: Statistics) -> None:
        """Set the means and thresholds that `fit` found."""
        if statistics:
            self._offset = statistics["offset"]
            self._less, self._more = statistics["less"], statistics["more"]

    def chip_logits(self, chip: Chip) -> Picture:
        """(height, width) float32; 0 where a log-ratio equals its threshold."""
        farthest = np.full(chip.shape, -np.inf, np.float32)
        for band, ratio in enumerate(log_ratio(chip)):
            at = min(band, len(self._offset) - 1)
            moved = ratio - np.float32(self._offset[at])
            np.maximum(farthest, moved / np.float32(self._more[at]), out=farthest)
            np.maximum(farthest, moved / np.float32(-self._less[at]), out=farthest)
        farthest *= chip.valid
        return np.asarray(np.float32(STEEPNESS) * (farthest - np.float32(1)), np.float32)

    def change_logits(self, batch: Batch) -> torch.Tensor:
        """The same for a batch: (batch, height, width) float32."""
        from geochange.models.inference.batch import logits_by_chip

        return logits_by_chip(self.chip_logits, batch)


class LogRatioOtsu(LogRatio):
    """`ratio-otsu`: the same with Otsu's threshold, which suits change of large parts of a scene.

    Otsu, IEEE Transactions on Systems, Man, and Cybernetics 9 (1979) 62-66.
    """

    def _cut(self, distances: Floats, noise: float) -> float:
        if not distances.size or distances.max() <= noise:
            return noise
        return max(noise, otsu_threshold(distances))


def log_ratio(chip: Chip) -> list[Picture]:
    """By band, (height, width) float32: decibels of `after` less those of `before`, multi-looked.

    Pixels without data have no part in the averages of their neighbours.
    """
    ratios = []
    for band in range(chip.before.shape[2]):
        before, after = (
            smooth(_power(date[..., band]) * chip.valid, SIGMA_PX) + np.float32(EMPTY)
            for date in (chip.before, chip.after)
        )
        # The averages' weights are those of both dates, so they cancel.
        ratios.append(np.asarray(10 * np.log10(after / before), np.float32))
    return ratios


def _power(decibels: Pixels) -> Picture:
    """Linear power. 8-bit pixels are steps of DB_PER_LEVEL."""
    step = DB_PER_LEVEL if decibels.dtype == np.uint8 else 1.0
    bels = np.ascontiguousarray(decibels, np.float32) * np.float32(step / 10)
    return np.asarray(np.exp(bels.clip(-MOST_BELS, MOST_BELS) * np.float32(np.log(10))), np.float32)


def unchanged_noise(values: Floats) -> tuple[float, float]:
    """The mean and the deviation of the values of unchanged ground, which need not be the most.

    It starts from the shortest interval that holds a quarter of all values, and then leaves out what
    lies farther than CLIP_DEVIATIONS.
    """
    ordered = np.sort(values[:: -(-len(values) // ENOUGH_PX)])
    quarter = len(ordered) // 4
    lengths = ordered[quarter:] - ordered[: len(ordered) - quarter]
    start = int(np.argmin(lengths))
    middle = (ordered[start] + ordered[start + quarter]) / 2
    deviation = QUARTER_TO_DEVIATION * lengths[start]
    for _ in range(CLIP_ROUNDS):
        near = ordered[np.abs(ordered - middle) <= CLIP_DEVIATIONS * deviation]
        if not near.size:
            break
        middle, deviation = near.mean(), near.std()
    return float(middle), float(deviation)
