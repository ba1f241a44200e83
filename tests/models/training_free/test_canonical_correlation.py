"""Weighted canonical correlation: against plain formulas on all pixels at once."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from geochange import parallelism
from geochange.models.training_free import pixel_sample
from geochange.models.training_free.canonical_correlation import (
    NoChangeProbability,
    canonical_correlation,
    plain_moments,
    reweighted_moments,
)
from geochange.models.training_free.pixel_sample import PixelSample, mean_of

PIXELS, BANDS = 3000, 3


def sample_of(seed: int = 0) -> PixelSample:
    rng = np.random.default_rng(seed)
    before = rng.normal(100, 30, (BANDS, PIXELS))
    after = rng.normal(size=(BANDS, BANDS)) @ before + rng.normal(0, 8, (BANDS, PIXELS))
    return PixelSample(before.astype(np.float32), after.astype(np.float32))


@pytest.mark.parametrize("variates", [1, 2, 3, 4, 13, 200])
def test_the_table_is_the_chi_square_distribution(variates: int) -> None:
    squares = np.concatenate(
        [np.linspace(0, 30, 5001), chi2.isf([0.9, 0.5, 0.01], variates), [1e9]]
    )
    found = NoChangeProbability(variates)(squares.copy())
    np.testing.assert_allclose(found, chi2.sf(squares, variates), atol=3e-8)


def test_moments_are_weighted_means_and_covariances() -> None:
    sample = sample_of()
    values = np.concatenate([sample.before, sample.after]).astype(np.float64)
    origin = mean_of(sample)
    plain = plain_moments(sample, origin)
    np.testing.assert_allclose(plain.covariance, np.cov(values, bias=True), rtol=1e-9)
    view = canonical_correlation(plain, 0.0)
    one = (values[:BANDS].T - view.before_mean) @ view.before
    other = (values[BANDS:].T - view.after_mean) @ view.after
    np.testing.assert_allclose(np.cov(one.T, bias=True), np.eye(BANDS), atol=1e-9)
    np.testing.assert_allclose((one * other).mean(axis=0), view.correlation, atol=1e-9)
    weight = chi2.sf((((one - other) / view.deviation) ** 2).sum(axis=1), BANDS)
    found = reweighted_moments(sample, origin, view, NoChangeProbability(BANDS))
    assert found.weight == pytest.approx(weight.sum(), rel=1e-7)
    np.testing.assert_allclose(found.mean, np.average(values, axis=1, weights=weight), rtol=1e-7)
    expected = np.cov(values, bias=True, aweights=weight)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-6)


def test_the_number_of_threads_changes_no_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixel_sample, "PART_PIXELS", 500)
    sample, found = sample_of(), []
    for threads in (1, 2, 5):
        monkeypatch.setattr(parallelism, "cpu_count", lambda threads=threads: threads)
        origin = mean_of(sample)
        view = canonical_correlation(plain_moments(sample, origin), 1e-6)
        moments = reweighted_moments(sample, origin, view, NoChangeProbability(BANDS))
        found.append((moments.covariance.tolist(), moments.mean.tolist(), moments.weight))
    assert found[0] == found[1] == found[2]
