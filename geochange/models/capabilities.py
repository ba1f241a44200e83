"""What a model can do besides its logits of change: names, land classes, confidence."""

from __future__ import annotations

from geochange.models.confidence import ConfidenceRule
from geochange.models.protocol import (
    ALWAYS_NAME,
    ClassifiesLand,
    HasNamingRule,
    NamesClasses,
    NamingRule,
    PredictsChips,
    SceneModel,
    StatesConfidence,
)


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
