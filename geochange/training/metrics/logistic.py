"""Logistic regression with a small penalty, for few features and some thousand samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

Floats = NDArray[np.float64]

PENALTY = 1.0
"""Of the squares of the weights of standardised features, in log-likelihoods of one sample."""


def fit_logistic(features: Floats, truth: NDArray[np.bool_]) -> Floats:
    """The weights (feature,) with the highest penalised likelihood.

    features: (sample, feature); the first is constant, and its weight is not penalised. truth:
    (sample,). Of one class alone, a feature that says nothing keeps the weight 0.
    """
    mean, spread = features.mean(axis=0), features.std(axis=0)
    mean[0], spread[spread < 1e-9] = 0.0, 1.0
    x, y = (features - mean) / spread, truth.astype(np.float64)
    penalised = np.append(0.0, np.ones(features.shape[1] - 1)) * PENALTY

    def loss(weights: Floats) -> tuple[float, Floats]:
        z = x @ weights
        value = np.logaddexp(0, z).sum() - y @ z + penalised @ weights**2
        return float(value), x.T @ (expit(z) - y) + 2 * penalised * weights

    found = minimize(loss, np.zeros(features.shape[1]), jac=True, bounds=[(-20, 20)] * x.shape[1])
    weights = found.x / spread
    weights[0] -= weights[1:] @ mean[1:]
    return np.asarray(weights, np.float64)
