"""Prediction: what a model answers for chips, and what a model can say besides change."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.errors import NotFiniteError
from geochange.models.confidence import ConfidenceRule
from geochange.models.protocol import (
    ALWAYS_NAME,
    ClassifiesLand,
    HasClassColours,
    HasNamingRule,
    NamesClasses,
    NamingRule,
    PredictsChips,
    SceneModel,
    StatesConfidence,
)
from geochange.parallelism import SERIAL_VALUES


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
        """The logits as float16, clipped to `limit`."""
        kept = np.empty(self.logits.shape, np.float16)
        whole, half = self.logits.reshape(-1), kept.reshape(-1)
        for start in range(0, len(whole), SERIAL_VALUES):
            part = slice(start, start + SERIAL_VALUES)
            half[part] = np.clip(whole[part], -limit, limit)
        return kept


def check_finite(model: SceneModel, chip: Chip, logits: NDArray[np.float32]) -> None:
    """Refuse (height, width) logits that are not finite; NaN where the chip has no data.

    Raises NotFiniteError.
    """
    if not np.isfinite(logits).all():
        raise NotFiniteError(
            f"model {type(model).__module__}:{type(model).__qualname__} answered with numbers that "
            "are not finite: its weights are damaged, or too large for this precision; use other "
            "weights, or --precision float32"
        )
    if not chip.valid.all():
        logits[~chip.valid] = np.nan


def classes_of(model: SceneModel) -> tuple[str, ...]:
    """The class names that a model scores; most models have none."""
    return model.classes if isinstance(model, NamesClasses | PredictsChips) else ()


def naming_of(model: SceneModel) -> NamingRule:
    """The naming rule of a model; by default a name is always assigned."""
    return model.naming if isinstance(model, HasNamingRule) else ALWAYS_NAME


def confidence_of(model: SceneModel) -> ConfidenceRule | None:
    """The confidence of a model's polygons; most models are not calibrated."""
    return model.confidence if isinstance(model, StatesConfidence) else None


def land_classes_of(model: SceneModel) -> tuple[str, ...]:
    """The land classes of a model; most models have none."""
    return model.land_classes if isinstance(model, ClassifiesLand | PredictsChips) else ()


def class_colours_of(model: SceneModel) -> dict[str, str]:
    """The colours of the land classes of a model, as "#rrggbb" by class; most models have none."""
    return dict(model.class_colours) if isinstance(model, HasClassColours) else {}
