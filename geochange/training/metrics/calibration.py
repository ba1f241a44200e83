"""Calibration: a histogram of logits in fine bins, and the temperature and threshold fitted to it.

The bins are narrow enough to give the same results as the pixels, in memory that does not grow with
the data.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from geochange.chip import UNKNOWN
from geochange.training.metrics.counts import Counts

BIN_WIDTH = 0.01
"""Width of a bin, in logits."""

MAX_LOGIT = 40.0
"""Logits beyond this value, to either side, are clipped to it."""

BINS = round(2 * MAX_LOGIT / BIN_WIDTH)
_EDGES = (np.arange(BINS + 1) - BINS // 2) * BIN_WIDTH
_CENTRES = (np.arange(BINS) - (BINS - 1) / 2) * BIN_WIDTH

THRESHOLDS = (0.005, 0.995)
"""The range in which a threshold is searched; probabilities are written in steps of 1/254."""

TEMPERATURES = (0.05, 20.0)
"""The range in which a temperature is searched."""

Metric = Literal["f1", "iou"]


@dataclass(frozen=True, slots=True)
class Reliability:
    """Pixels by their stated probability, in bins of equal width; arrays of (bin,).

    pixels: their number. stated: their mean probability. observed: the share that did change. Both
    are NaN in a bin without pixels.
    """

    pixels: NDArray[np.int64]
    stated: NDArray[np.float64]
    observed: NDArray[np.float64]

    @property
    def ece(self) -> float:
        """The mean gap between stated and observed, weighted by pixels; 0 without pixels."""
        total = int(self.pixels.sum())
        gaps = np.abs(self.stated - self.observed)[self.pixels > 0]
        return float(gaps @ self.pixels[self.pixels > 0]) / total if total else 0.0

    def to_json(self) -> Mapping[str, list[float | None]]:
        """The arrays as lists, None where there is no number."""
        return {
            "pixels": self.pixels.tolist(),
            **{
                name: [None if math.isnan(value) else value for value in values.tolist()]
                for name, values in (("stated", self.stated), ("observed", self.observed))
            },
        }


def _zeros() -> NDArray[np.int64]:
    return np.zeros((2, BINS), np.int64)


@dataclass(frozen=True, eq=False)
class LogitHistogram:
    """Pixels by label and logit. Histograms of parts add up to that of the whole.

    pixels: (label, bin) int64; bin b holds logits from -40 + 0.01 b on.
    """

    pixels: NDArray[np.int64] = field(default_factory=_zeros)

    def __add__(self, other: LogitHistogram) -> LogitHistogram:
        return LogitHistogram(self.pixels + other.pixels)

    @classmethod
    def of(cls, logits: NDArray[np.float32], label: NDArray[np.uint8]) -> LogitHistogram:
        """Count pixels of logits and labels of one shape; unknown ones (255) are ignored.

        Raises ValueError where a known pixel has a logit that is not a number.
        """
        known = label != UNKNOWN
        z = logits[known].astype(np.float64)
        if np.isnan(z).any():
            raise ValueError("logits of known pixels are not a number")
        number = np.floor(z.clip(-MAX_LOGIT, MAX_LOGIT) / BIN_WIDTH).astype(np.int64) + BINS // 2
        number = number.clip(0, BINS - 1) + BINS * (label[known] == 1)
        return cls(np.bincount(number, minlength=2 * BINS).reshape(2, BINS))

    def counts(self, threshold: float, temperature: float = 1.0) -> Counts:
        """The confusion matrix where change is a probability of at least `threshold`.

        It is exact for thresholds that `best_threshold` returns; others are moved to the nearest
        edge of a bin.
        """
        edge = round(float(logit(threshold)) * temperature / BIN_WIDTH) + BINS // 2
        edge = min(max(edge, 0), BINS)
        (fp, tp), (tn, fn) = (
            self.pixels[:, edge:].sum(axis=1).tolist(),
            self.pixels[:, :edge].sum(axis=1).tolist(),
        )
        return Counts(tp, fp, fn, tn)

    def best_threshold(
        self, temperature: float = 1.0, metric: Metric = "f1", most_false: float = 1.0
    ) -> float:
        """The probability, after `temperature`, that is the best threshold by `metric`.

        Of several best ones it is the one nearest to 0.5, also where there is only one class.
        most_false: the largest share of unchanged pixels that may be called changed. The highest
        threshold is returned where none satisfies it.
        """
        if not self.pixels.any(axis=1).all():
            return 0.5
        low, high = (float(logit(p)) for p in THRESHOLDS)
        edges = _EDGES / temperature
        allowed = np.flatnonzero((edges >= low) & (edges <= high))
        wrong, right = (_counts_above(row)[allowed] for row in self.pixels)
        kept = wrong <= most_false * self.pixels[0].sum()
        if not kept.any():
            return float(expit(edges[allowed[-1]]))
        allowed, wrong, right = allowed[kept], wrong[kept], right[kept]
        missed = int(self.pixels[1].sum()) - right
        # F1 and IoU share one formula: true positives have weight 2 in F1 and 1 in IoU.
        weight = {"f1": 2, "iou": 1}[metric]
        score = weight * right / (weight * right + wrong + missed)
        best = allowed[score == score.max()]
        edge = best[np.abs(edges[best]).argmin()]
        return float(expit(edges[edge]))

    def fit_temperature(self) -> float:
        """The temperature that minimises the negative log-likelihood; logits are divided by it.

        Source: Guo et al., ICML 2017, sec. 4.2. It is 1 where there is only one class, since then
        no temperature is the best.
        """
        if not self.pixels.any(axis=1).all():
            return 1.0
        bounds = tuple(math.log(t) for t in TEMPERATURES)
        best = minimize_scalar(
            lambda log_t: self.nll(math.exp(log_t)), bounds=bounds, method="bounded"
        )
        return math.exp(float(best.x))

    def nll(self, temperature: float = 1.0) -> float:
        """Mean negative log-likelihood of the labels; 0 without pixels."""
        z = _CENTRES / temperature
        none, change = self.pixels
        total = int(self.pixels.sum())
        loss = float(none @ np.logaddexp(0, z) + change @ np.logaddexp(0, -z))
        return loss / total if total else 0.0

    def reliability(self, temperature: float = 1.0, bins: int = 15) -> Reliability:
        """How often pixels changed, by their stated probability of change."""
        p = expit(_CENTRES / temperature)
        number = np.minimum((p * bins).astype(np.int64), bins - 1)
        none, change = self.pixels
        count = np.bincount(number, none + change, bins)
        with np.errstate(invalid="ignore"):
            stated = np.bincount(number, (none + change) * p, bins) / count
            observed = np.bincount(number, change, bins) / count
        return Reliability(count.astype(np.int64), stated, observed)

    def ece(self, temperature: float = 1.0, bins: int = 15) -> float:
        """Expected calibration error of the probability of change, over all pixels.

        Source: Naeini et al., AAAI 2015; Guo et al., ICML 2017, eq. 3, there of the likelier class.
        """
        return self.reliability(temperature, bins).ece


def _counts_above(pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """(bin + 1,) the number of pixels in a bin or above it."""
    return np.append(pixels[::-1].cumsum()[::-1], 0)
