"""The minimum-error threshold against its definition, and on mixtures whose best threshold is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import halfnorm, norm

from geochange.models.radar.minimum_error import BINS, LEAST_PX, minimum_error_threshold


def mixture(share: float, mean: float, deviation: float, count: int = 40_000) -> np.ndarray:
    """Distances of unchanged values (deviation 1) and of a share of changed ones."""
    rng = np.random.default_rng(3)
    changed = rng.normal(mean, deviation, round(share * count))
    return np.abs(np.concatenate([rng.normal(0, 1, count - len(changed)), changed]))


@pytest.mark.parametrize(("share", "mean", "deviation"), [(0.02, 8, 1), (0.2, 6, 1.5), (0.5, 9, 2)])
def test_it_lies_where_both_classes_are_equally_likely(
    share: float, mean: float, deviation: float
) -> None:
    found = minimum_error_threshold(mixture(share, mean, deviation))
    at = np.linspace(0, mean, 10_001)
    near, far = (1 - share) * halfnorm.pdf(at), share * norm.pdf(at, mean, deviation)
    best = at[np.argmin(np.abs(np.where(near > far, near - far, far - near)))]
    assert found is not None
    error = (1 - share) * halfnorm.sf([found, best]) + share * norm.cdf(
        [found, best], mean, deviation
    )
    assert error[0] < 1.1 * error[1] + 1e-4


@pytest.mark.slow
def test_it_is_the_least_of_the_criterion_over_all_bins() -> None:
    """The likelihood of both classes by scipy, one threshold after another."""
    values = mixture(0.1, 5, 1, 3000)
    counts, edges = np.histogram(values, bins=BINS, range=(0, values.max()))
    middle = np.repeat((edges[:-1] + edges[1:]) / 2, counts)
    costs = {}
    for edge in edges[1:-1]:
        near, far = middle[middle < edge], middle[middle >= edge]
        if min(len(near), len(far)) < LEAST_PX:
            continue
        likelihood = halfnorm.logpdf(near, 0, np.sqrt((near**2).mean())).sum()
        likelihood += norm.logpdf(far, far.mean(), max(far.std(), 1e-9)).sum()
        likelihood += len(near) * np.log(len(near)) + len(far) * np.log(len(far))
        costs[edge] = -likelihood
    assert minimum_error_threshold(values) == pytest.approx(min(costs, key=costs.__getitem__))


@pytest.mark.parametrize("count", [1000, 100_000])
def test_one_class_has_no_threshold(count: int) -> None:
    assert minimum_error_threshold(mixture(0, 1, 1, count)) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("values", [[], [0.0] * 50, [3.0] * 50, [1.0], [0.0] * 99 + [5.0]])
def test_values_that_show_nothing_have_none(values: list[float]) -> None:
    assert minimum_error_threshold(np.asarray(values)) is None
