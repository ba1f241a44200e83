"""Weighted canonical correlation analysis of the bands of two dates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.models.training_free.pixel_sample import PixelSample, sum_over

Array = NDArray[np.float64]

TABLE_STEPS = 2**15
"""The steps of a table of probabilities. Between them it is linear, exact to some 1e-8."""

TAIL = 9.0
"""So many standard deviations from no change, the probability of no change is below 1e-15."""


@dataclass(frozen=True)
class Moments:
    """Weighted sums over pixels.

    mean: (band of before, then of after). covariance: of the same bands. weight: the sum of weights.
    """

    mean: Array
    covariance: Array
    weight: float

    @classmethod
    def of_sums(cls, sums: Array, origin: Array) -> Moments:
        """From sums of the products of 1 and the bands, which are counted from `origin`."""
        weight = float(sums[0, 0])
        mean = sums / max(weight, np.finfo(np.float64).tiny)
        shift = mean[0, 1:]
        return cls(origin + shift, mean[1:, 1:] - np.outer(shift, shift), weight)


@dataclass(frozen=True)
class CanonicalView:
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

    @property
    def differences(self) -> Array:
        """(variate, band of before, then of after): times bands it gives the MAD variates.

        They are in units of their deviation.
        """
        return np.concatenate([self.before, -self.after]).T / self.deviation[:, None]


def canonical_correlation(moments: Moments, ridge: float) -> CanonicalView:
    """Canonical correlation analysis: whiten each date, then one SVD.

    ridge: share of the mean variance that is added to every band. Without it, constant or repeated
    bands have no inverse covariance.
    """
    bands = len(moments.mean) // 2
    one, other = slice(None, bands), slice(bands, None)
    whiten_one = _whitener(moments.covariance[one, one], ridge)
    whiten_other = _whitener(moments.covariance[other, other], ridge)
    left, correlation, right = np.linalg.svd(
        whiten_one.T @ moments.covariance[one, other] @ whiten_other
    )
    return CanonicalView(
        moments.mean[one],
        moments.mean[other],
        whiten_one @ left,
        whiten_other @ right.T,
        correlation.clip(0, 1),
    )


def _whitener(covariance: Array, ridge: float) -> Array:
    """The matrix W with W.T @ covariance @ W = 1, up to the ridge."""
    floor = ridge * max(float(np.trace(covariance)) / len(covariance), 1e-12)
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(np.maximum(values, 0) + floor))


class NoChangeProbability:
    """The probability that an unchanged pixel has a larger change vector of `variates` variates.

    It is that of the chi-square distribution, from a table by the length of the vector.
    """

    def __init__(self, variates: int) -> None:
        from scipy.special import chdtrc  # takes its time to import

        longest = np.sqrt(variates) + TAIL
        self._scale = TABLE_STEPS / longest
        lengths = np.arange(TABLE_STEPS + 2) / self._scale
        self._values = chdtrc(variates, lengths**2)
        self._slopes = np.diff(self._values, append=0.0)

    def __call__(self, squares: Array) -> Array:
        """(pixel,) squared lengths to probabilities; `squares` is overwritten."""
        place = np.sqrt(squares, out=squares)
        place *= self._scale
        np.minimum(place, TABLE_STEPS, out=place)
        step = place.astype(np.intp)
        place -= step
        place *= self._slopes.take(step)
        place += self._values.take(step)
        return place


def plain_moments(sample: PixelSample, origin: Array) -> Moments:
    """The moments of a sample in which every pixel counts as much. origin: about the mean."""

    def total(part: PixelSample) -> Array:
        return np.asarray(
            np.sum([_products(piece - origin[:, None]) for piece in part.pieces()], axis=0)
        )

    return Moments.of_sums(sum_over(sample, total), origin)


def reweighted_moments(
    sample: PixelSample, origin: Array, view: CanonicalView, likely: NoChangeProbability
) -> Moments:
    """The moments of a sample in which pixels count by their probability of no change in `view`."""
    matrix = view.differences
    shift = matrix @ (origin - np.concatenate([view.before_mean, view.after_mean]))

    def total(part: PixelSample) -> Array:
        sums = np.zeros((len(origin) + 1,) * 2)
        for piece in part.pieces():
            piece -= origin[:, None]
            variates = matrix @ piece
            variates += shift[:, None]
            variates *= variates
            sums += _products(piece, likely(variates.sum(axis=0)))
        return sums

    return Moments.of_sums(sum_over(sample, total), origin)


def _products(pixels: Array, weight: Array | None = None) -> Array:
    """Sums over pixels of all products of two of (1, bands), weighted."""
    extended = np.ones((len(pixels) + 1, pixels.shape[1]))
    extended[1:] = pixels
    weighted = extended if weight is None else extended * weight
    return np.asarray(weighted @ extended.T)
