"""Models without training: change vector analysis and IR-MAD. They compute with numpy, not with torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip, Pixels
from geochange.models.protocol import Statistics
from geochange.models.training_free.canonical_correlation import (
    CanonicalView,
    NoChangeProbability,
    canonical_correlation,
    plain_moments,
    reweighted_moments,
)
from geochange.models.training_free.otsu import otsu_threshold
from geochange.models.training_free.pixel_sample import PixelSample, deviation_of, mean_of
from geochange.models.training_free.smoothing import Picture, smooth, strips
from geochange.parallelism import in_threads

if TYPE_CHECKING:
    import torch

    from geochange.models.inference.batch import Batch

SIGMA_PX = 2.0
"""The sigma of the Gaussian filter. It removes single pixels, which are noise or shifted edges."""

STEEPNESS = 4.0
"""Logit = STEEPNESS * (magnitude / threshold - 1). A magnitude of 0 has probability 2 %."""

FAINT_DEVIATIONS = 0.5
"""Change vectors below this length, in standard deviations, are sensor noise and light."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class _Affine:
    """A linear map of bands: (pixels - offset) @ matrix."""

    offset: list[float]
    matrix: list[list[float]]

    def __call__(self, pixels: Pixels) -> list[Picture]:
        """(height, width, band) to a picture of each mapped band."""
        shifted = []
        for band, offset in enumerate(self.offset):
            picture = pixels[..., band].astype(np.float32)
            shifted.append(np.subtract(picture, np.float32(offset), out=picture))
        return [self._mapped(shifted, column) for column in range(len(self.matrix[0]))]

    def _mapped(self, shifted: list[Picture], column: int) -> Picture:
        # Sums over bands instead of a matrix product, whose bits depend on the number of pixels.
        factors = [np.float32(row[column]) for row in self.matrix]
        used = [each for each in zip(shifted, factors, strict=True) if each[1]]
        if not used:
            return np.zeros_like(shifted[0])
        total, *rest = (band * factor for band, factor in used)
        for term in rest:
            total += term
        return total


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
        statistics = {**self._fit_maps(PixelSample.of(sample)), "cut": 1.0}
        self.adopt(statistics)
        return {**statistics, "cut": self._fit_cut(sample)}

    def _fit_maps(self, sample: PixelSample) -> dict[str, Any]:
        raise TypeError(f"{type(self).__name__} does not define the maps of bands")

    def _fit_cut(self, sample: Sequence[Chip]) -> float:
        """The magnitude that best separates the sample in two classes (Otsu 1979), at least the noise."""
        magnitudes = in_threads(self._magnitude, sample)
        pairs = zip(magnitudes, sample, strict=True)
        found = np.concatenate([magnitude[chip.valid] for magnitude, chip in pairs])
        faintest = self._faintest(sample[0].before.shape[2])
        if found.max() - found.min() <= faintest:
            return max(faintest, float(found.max()))
        return max(faintest, otsu_threshold(found))

    def _faintest(self, bands: int) -> float:
        """The least magnitude of change. Without it, Otsu would split the noise of an unchanged scene."""
        raise TypeError(f"{type(self).__name__} does not define the noise level")

    def adopt(self, statistics: Statistics) -> None:
        """Set the maps and the threshold that `fit` found."""
        if statistics:
            self._before = _Affine(statistics["before_offset"], statistics["before_matrix"])
            self._after = _Affine(statistics["after_offset"], statistics["after_matrix"])
            self._cut = statistics["cut"]

    def _magnitude(self, chip: Chip) -> Picture:
        magnitude = np.empty(chip.shape, np.float32)
        for rows in strips(*chip.shape):
            self._difference_length(chip.before[rows], chip.after[rows], magnitude[rows])
        if not chip.valid.all():
            # A pixel without data has equal values at both dates, but the maps differ.
            magnitude *= chip.valid
        return smooth(magnitude, SIGMA_PX)

    def _difference_length(self, before: Pixels, after: Pixels, out: Picture) -> None:
        """The length of the difference of both dates after the maps, into (height, width) `out`."""
        out[:] = 0
        for one, other in zip(self._before(before), self._after(after), strict=True):
            one -= other
            one *= one
            out += one
        np.sqrt(out, out=out)

    def chip_logits(self, chip: Chip) -> Picture:
        """(height, width) float32; 0 where the smoothed magnitude equals the threshold."""
        logits = self._magnitude(chip)
        logits /= np.float32(self._cut)
        logits -= np.float32(1)
        logits *= np.float32(STEEPNESS)
        return logits

    def change_logits(self, batch: Batch) -> torch.Tensor:
        """The same for a batch: (batch, height, width) float32."""
        from geochange.models.inference.batch import logits_by_chip

        return logits_by_chip(self.chip_logits, batch)


class ChangeVector(ClassicalModel):
    """`cva`: the length of the change vector between standardised bands (Malila 1980).

    Each band of each date is scaled to mean 0 and deviation 1 over the scene. This removes differences
    in light and haze that are uniform over the scene.
    """

    def _faintest(self, bands: int) -> float:
        return FAINT_DEVIATIONS

    def _fit_maps(self, sample: PixelSample) -> dict[str, Any]:
        mean = mean_of(sample)
        deviation = deviation_of(sample, mean)
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 0)
        maps: dict[str, Any] = {}
        for name, bands in (("before", slice(sample.bands)), ("after", slice(sample.bands, None))):
            maps[f"{name}_offset"] = mean[bands].tolist()
            maps[f"{name}_matrix"] = np.diag(scale[bands]).tolist()
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
        from scipy.special import chdtri  # takes its time to import

        return float(np.sqrt(chdtri(bands, 0.01)))

    def _fit_maps(self, sample: PixelSample) -> dict[str, Any]:
        view = self._converged_view(sample)
        return {
            "before_offset": view.before_mean.tolist(),
            "before_matrix": (view.before / view.deviation).tolist(),
            "after_offset": view.after_mean.tolist(),
            "after_matrix": (view.after / view.deviation).tolist(),
        }

    def _converged_view(self, sample: PixelSample) -> CanonicalView:
        origin = mean_of(sample)
        moments = plain_moments(sample, origin)
        view = canonical_correlation(moments, self.ridge)
        likely, moved = NoChangeProbability(sample.bands), np.abs(view.correlation).max()
        for _ in range(self.rounds - 1):
            if moved < self.tolerance:
                break
            moments = reweighted_moments(sample, origin, view, likely)
            if moments.weight < sample.bands + 1:
                break
            known, view = view.correlation, canonical_correlation(moments, self.ridge)
            moved = np.abs(view.correlation - known).max()
        return view
