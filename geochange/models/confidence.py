"""Confidence: the probability that a polygon, taken as one thing, is a change.

It comes from logistic regression on what is known of the pixels of a polygon. The weights are fitted
to polygons whose truth is known, and travel in the card of a model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.errors import InputError

Floats = NDArray[np.float64]

FEATURES = ("constant", "mean", "peak", "size", "outline", "mean x size", "peak x size")
"""What is known of a polygon; see `features_of`."""

FAR_M = 3.0
"""Pixels that show more metres than this are far: between those of planted pairs, 0.3 to 1.2 and 10."""

LARGEST = 100.0
"""No weight is larger, to either side."""

SUREST = 0.5 / 254
"""Probabilities are written in steps of 1/254; 0 and 1 stand for half a step less."""

USUAL_LEAST = 0.5
"""The least confidence of near polygons that are written. Of far ones, to leave some out costs more
pixels of true ones than it saves of false ones.
"""


@dataclass(frozen=True, slots=True)
class ConfidenceRule:
    """The weights of FEATURES. near: for pixels of at most FAR_M metres. far: for larger ones.

    only: for near pixels where some land classes alone are asked for, so that the second opinion decides.
    Empty weights: the confidence is not known there. least_near: the least confidence of near polygons
    that are written, unless a user names another.
    """

    near: tuple[float, ...]
    far: tuple[float, ...]
    only: tuple[float, ...] = ()
    least_near: float = USUAL_LEAST

    def weights(self, pixel_m: float) -> tuple[float, ...]:
        """The weights for pixels of this size in metres."""
        return self.far if pixel_m > FAR_M else self.near

    def least(self, pixel_m: float) -> float:
        """The least confidence of polygons that are written, unless a user names another."""
        return 0.0 if pixel_m > FAR_M else self.least_near

    def of_classes(self) -> ConfidenceRule | None:
        """The rule where some land classes are asked for: it leaves nothing out. None without one."""
        return ConfidenceRule(self.only, (), least_near=0.0) if self.only else None

    def to_json(self) -> Mapping[str, Any]:
        """Values for `of_json`."""
        return asdict(self)

    @classmethod
    def of_json(cls, values: Any) -> ConfidenceRule:
        """The rule in a card. Raises InputError."""
        names = {"near", "far"}
        if not isinstance(values, Mapping) or not names <= values.keys() <= names | _ADDED:
            raise InputError("a confidence that is not lists of weights: near, far, only")
        near, far = (checked_weights(values[name]) for name in ("near", "far"))
        only = checked_weights(values["only"]) if values.get("only") else ()
        least = values.get("least_near", USUAL_LEAST)
        if type(least) not in (int, float) or not 0 <= least <= 1:
            raise InputError(f"a least confidence of {str(least)[:40]}: it lies between 0 and 1")
        return cls(near, far, only, float(least))


_ADDED = {"only", "least_near"}
"""Keys of a rule that earlier versions did not write."""


def checked_weights(values: Any) -> tuple[float, ...]:
    """The weights of FEATURES, from JSON. Raises InputError."""
    if not isinstance(values, list | tuple) or len(values) != len(FEATURES):
        raise InputError(f"weights of a confidence: {len(FEATURES)} numbers are needed")
    numbers = [value for value in values if type(value) in (int, float) and math.isfinite(value)]
    if len(numbers) != len(values) or any(abs(value) > LARGEST for value in numbers):
        raise InputError(f"weights of a confidence: not all are numbers of at most {LARGEST:g}")
    return tuple(map(float, numbers))


def features_of(mean: Floats, peak: Floats, pixels: Floats, corners: Floats) -> Floats:
    """(polygon, feature) FEATURES.

    mean, peak: the mean and the highest probability of its pixels, as logits. size: the logarithm of
    the number of pixels. outline: the logarithm of the number of corners for each pixel of the side
    of a square of that size.
    """
    from scipy.special import logit  # takes its time to import

    sure = [logit(np.clip(p, SUREST, 1 - SUREST)) for p in (mean, peak)]
    size = np.log(pixels)
    outline = np.log(corners) - size / 2
    together = [p * size for p in sure]
    return np.column_stack([np.ones(len(mean)), *sure, size, outline, *together])


def confidence_of(features: Floats, weights: Sequence[float]) -> Floats:
    """(polygon, feature) -> (polygon,) probabilities."""
    from scipy.special import expit

    return np.asarray(expit(features @ np.asarray(weights, np.float64)), np.float64)
