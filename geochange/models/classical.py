"""Models without training: change vector analysis and IR-MAD."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import chi2
from skimage.filters import threshold_otsu

from geochange.chip import Chip
from geochange.models.inference.batch import Batch, collate
from geochange.models.protocol import Statistics

SIGMA_PX = 2.0
"""The sigma of the Gaussian filter. It removes single pixels, which are noise or shifted edges."""

STEEPNESS = 4.0
"""Logit = STEEPNESS * (magnitude / threshold - 1). A magnitude of 0 has probability 2 %."""

FAINT_DEVIATIONS = 0.5
"""Change vectors below this length, in standard deviations, are sensor noise and light."""

Array = NDArray[np.float64]


def smooth(picture: torch.Tensor, sigma_px: float) -> torch.Tensor:
    """Gaussian filter of (batch, height, width) float32, mirrored at the border.

    It adds shifted images. A convolution may add in another order for another batch size, and the
    result must not depend on the batch.
    """
    radius = math.ceil(3 * sigma_px)
    bell = np.exp(-0.5 * (np.arange(-radius, radius + 1) / sigma_px) ** 2)
    taps = (bell / bell.sum()).tolist()
    for axis in (1, 2):
        size = picture.shape[axis]
        index = _mirrored(size, radius).to(picture.device)
        padded = picture.index_select(axis, index)
        total = padded.narrow(axis, 0, size) * taps[0]
        for offset, tap in enumerate(taps[1:], start=1):
            total += padded.narrow(axis, offset, size) * tap
        picture = total
    return picture


def _mirrored(size: int, radius: int) -> torch.Tensor:
    """Positions -radius..size+radius-1 mirrored into 0..size-1."""
    index = torch.arange(-radius, size + radius) % (2 * size)
    return torch.minimum(index, 2 * size - 1 - index)


@dataclass(frozen=True)
class _Affine:
    """A linear map of bands: (pixels - offset) @ matrix, on (batch, band, height, width)."""

    offset: list[float]
    matrix: list[list[float]]

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        # Sums over bands instead of a matrix product give the same bits for every batch size.
        shifted = [pixels[:, i].float() - value for i, value in enumerate(self.offset)]
        columns = range(len(self.matrix[0]))
        mapped = []
        for column in columns:
            total = shifted[0] * self.matrix[0][column]
            for i in range(1, len(shifted)):
                total += shifted[i] * self.matrix[i][column]
            mapped.append(total)
        return torch.stack(mapped, dim=1)


class ClassicalModel:
    """The common steps of models without training: magnitude -> smooth -> Otsu -> logit.

    A subclass defines a map of each date. After the maps, unchanged pixels have no difference.
    """

    bands: int | None = None
    threshold: float = 0.5

    def __init__(self) -> None:
        self._before = _Affine([0.0], [[1.0]])
        self._after = self._before
        self._cut = 1.0

    def fit(self, sample: Sequence[Chip]) -> Statistics:
        """Fit the maps on all valid pixels of the sample, then Otsu's threshold on the magnitude."""
        if not sample:
            return {}
        before = np.concatenate([chip.before[chip.valid] for chip in sample]).astype(np.float64)
        after = np.concatenate([chip.after[chip.valid] for chip in sample]).astype(np.float64)
        statistics = {**self._fit_maps(before, after), "cut": 1.0}
        self.adopt(statistics)
        return {**statistics, "cut": self._fit_cut(sample)}

    def _fit_maps(self, before: Array, after: Array) -> dict[str, Any]:
        raise TypeError(f"{type(self).__name__} does not define the maps of bands")

    def _fit_cut(self, sample: Sequence[Chip]) -> float:
        """The magnitude that best separates the sample in two classes (Otsu 1979), at least the noise."""
        values = []
        for chip in sample:
            magnitude = self._magnitude(collate([chip]))[0].numpy()
            values.append(magnitude[chip.valid])
        found = np.concatenate(values)
        faintest = self._faintest(sample[0].before.shape[2])
        if found.max() - found.min() <= faintest:
            return max(faintest, float(found.max()))
        return max(faintest, float(threshold_otsu(found, nbins=512)))

    def _faintest(self, bands: int) -> float:
        """The least magnitude of change. Without it, Otsu would split the noise of an unchanged scene."""
        raise TypeError(f"{type(self).__name__} does not define the noise level")

    def adopt(self, statistics: Statistics) -> None:
        """Set the maps and the threshold that `fit` found."""
        if statistics:
            self._before = _Affine(statistics["before_offset"], statistics["before_matrix"])
            self._after = _Affine(statistics["after_offset"], statistics["after_matrix"])
            self._cut = statistics["cut"]

    def _magnitude(self, batch: Batch) -> torch.Tensor:
        difference = self._before(batch.before) - self._after(batch.after)
        total = difference[:, 0] ** 2
        for band in range(1, difference.shape[1]):
            total += difference[:, band] ** 2
        # A pixel without data has equal values at both dates, but the maps differ.
        return smooth(torch.sqrt(total) * batch.valid, SIGMA_PX)

    def change_logits(self, batch: Batch) -> torch.Tensor:
        """(batch, height, width) float32; 0 where the smoothed magnitude equals the threshold."""
        return STEEPNESS * (self._magnitude(batch) / self._cut - 1)


class ChangeVector(ClassicalModel):
    """`cva`: the length of the change vector between standardised bands (Malila 1980).

    Each band of each date is scaled to mean 0 and deviation 1 over the scene. This removes differences
    in light and haze that are uniform over the scene.
    """

    def _faintest(self, bands: int) -> float:
        return FAINT_DEVIATIONS

    def _fit_maps(self, before: Array, after: Array) -> dict[str, Any]:
        maps: dict[str, Any] = {}
        for name, values in (("before", before), ("after", after)):
            deviation = values.std(axis=0)
            scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
            maps[f"{name}_offset"] = values.mean(axis=0).tolist()
            maps[f"{name}_matrix"] = np.diag(scale).tolist()
        return maps


class IterativelyReweightedMAD(ClassicalModel):
    """`irmad`: iteratively reweighted multivariate alteration detection.

    Canonical correlation analysis finds the combinations of bands that agree best between the dates.
    The change is their difference, in standard deviations of unchanged pixels. Each iteration weights
    pixels by their probability of no change in the previous one (Nielsen 2007, doi
    10.1109/TIP.2006.888195). The result is invariant to linear changes of light, gain or band order.
    """

    rounds = 50
    tolerance = 1e-4
    ridge = 1e-6

    def _faintest(self, bands: int) -> float:
        """The value that 1 % of unchanged pixels exceed (chi-square with one degree per variate)."""
        return float(np.sqrt(chi2.isf(0.01, df=bands)))

    def _fit_maps(self, before: Array, after: Array) -> dict[str, Any]:
        weight = np.ones(len(before))
        known = np.zeros(before.shape[1])
        for _ in range(self.rounds):
            view = _canonical_correlation(before, after, weight, self.ridge)
            squares = (view.differences(before, after) ** 2).sum(axis=1)
            weight = chi2.sf(squares, df=view.correlation.size)
            if weight.sum() < before.shape[1] + 1:
                break
            moved = np.abs(view.correlation - known).max()
            known = view.correlation
            if moved < self.tolerance:
                break
        return {
            "before_offset": view.before_mean.tolist(),
            "before_matrix": (view.before / view.deviation).tolist(),
            "after_offset": view.after_mean.tolist(),
            "after_matrix": (view.after / view.deviation).tolist(),
        }


@dataclass(frozen=True)
class _CanonicalView:
    """Canonical variates of two dates: (values - mean) @ matrix has variance 1 in each column."""

    before_mean: Array
    after_mean: Array
    before: Array
    after: Array
    correlation: Array

    @property
    def deviation(self) -> Array:
        """The standard deviation of the difference of two variates, sqrt(2 (1 - correlation))."""
        return np.asarray(np.sqrt(np.maximum(2 * (1 - self.correlation), 1e-6)))

    def differences(self, before: Array, after: Array) -> Array:
        """(pixel, variate) MAD variates in units of their deviation."""
        one = (before - self.before_mean) @ self.before
        other = (after - self.after_mean) @ self.after
        return np.asarray((one - other) / self.deviation)


def _canonical_correlation(
    before: Array, after: Array, weight: Array, ridge: float
) -> _CanonicalView:
    """Weighted canonical correlation analysis: whiten each date, then one SVD.

    ridge: share of the mean variance that is added to every band. Without it, constant or repeated
    bands have no inverse covariance.
    """
    mass = weight / weight.sum()
    before_mean, after_mean = mass @ before, mass @ after
    one, other = before - before_mean, after - after_mean
    whiten_one = _whitener((one * mass[:, None]).T @ one, ridge)
    whiten_other = _whitener((other * mass[:, None]).T @ other, ridge)
    left, correlation, right = np.linalg.svd(
        whiten_one.T @ ((one * mass[:, None]).T @ other) @ whiten_other
    )
    return _CanonicalView(
        before_mean, after_mean, whiten_one @ left, whiten_other @ right.T, correlation.clip(0, 1)
    )


def _whitener(covariance: Array, ridge: float) -> Array:
    """The matrix W with W.T @ covariance @ W = 1, up to the ridge."""
    floor = ridge * max(float(np.trace(covariance)) / len(covariance), 1e-12)
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(np.maximum(values, 0) + floor))
