"""Logistic regression finds the weights that made its samples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from geochange.training.metrics.logistic import fit_logistic


@pytest.mark.slow
def test_it_finds_the_weights_that_made_the_samples() -> None:
    rng = np.random.default_rng(2)
    weights = np.array([-1.0, 0.5, 2.0, 0.0])
    features = np.column_stack([np.ones(40_000), rng.normal(3, [2, 1, 5], (40_000, 3))])
    truth = rng.random(40_000) < expit(features @ weights)
    np.testing.assert_allclose(fit_logistic(features, truth), weights, atol=0.15)


def test_one_class_alone_gives_finite_weights() -> None:
    features = np.column_stack([np.ones(20), np.arange(20.0), np.full(20, 3.0)])
    weights = fit_logistic(features, np.ones(20, np.bool_))
    assert np.isfinite(weights).all() and weights[2] == 0
    assert (expit(features @ weights) > 0.9).all()
