"""Prediction: the answer of a model for some chips."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geochange.errors import NotFiniteError


def _empty_land() -> NDArray[np.uint8]:
    return np.empty((0, 0, 0, 0), np.uint8)


@dataclass(frozen=True)
class Prediction:
    """The answer of a model.

    logits: (chip, height, width) float32 of change, NaN without data.
    scores: (chip, date, class) float32, NaN for a chip without data; no classes if the model has none.
    land: (chip, date, height, width) uint8 class numbers, NO_LAND_CLASS without data; no dates
    if the model has no land classes.
    """

    logits: NDArray[np.float32]
    scores: NDArray[np.float32]
    land: NDArray[np.uint8] = field(default_factory=_empty_land)

    def half(self, limit: float) -> NDArray[np.float16]:
        """The logits as float16, clipped to `limit`, chip by chip in the processor's cache."""
        kept = np.empty(self.logits.shape, np.float16)
        for whole, half in zip(self.logits, kept, strict=True):
            half[:] = whole.clip(-limit, limit)
        return kept


def not_finite(model: object) -> NotFiniteError:
    """The error for an answer of a model that holds a number that is not finite."""
    name = f"{type(model).__module__}:{type(model).__qualname__}"
    return NotFiniteError(
        f"model {name} answered with numbers that are not finite: its weights are damaged, or too "
        "large for this precision; use other weights, or --precision float32"
    )
