"""ChangeModel: the protocol of all models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.models.confidence import ConfidenceRule

if TYPE_CHECKING:
    import torch  # not loaded where no model needs it

    from geochange.models.inference.batch import Batch

Statistics = Mapping[str, Any]
"""What a model learnt from a scene, as values for JSON, so that workers and files can hold it."""


class SceneModel(Protocol):
    """What every model has.

    bands: the number of bands of a date; None takes any number.
    threshold: the default probability from which a pixel counts as changed.
    """

    bands: int | None

    @property
    def threshold(self) -> float:
        """See above."""
        ...

    def fit(self, sample: Sequence[Chip]) -> Statistics:
        """Statistics from chips spread over the scene; {} if the model needs none.

        It is called once per run, before tiling, in one process.
        """
        ...

    def adopt(self, statistics: Statistics) -> None:
        """Use statistics that `fit` returned, in this or another process."""
        ...


@runtime_checkable
class ChangeModel(SceneModel, Protocol):
    """Detects change in batches of chips, with torch."""

    def change_logits(self, batch: Batch) -> torch.Tensor:
        """(batch, height, width) float32: the logit of change (class 1 minus class 0).

        The result of a chip must not depend on the other chips of its batch.
        """
        ...


@runtime_checkable
class PredictsChips(SceneModel, Protocol):
    """Detects change chip by chip, without torch, each in the thread that asks."""

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the scores."""
        ...

    @property
    def land_classes(self) -> tuple[str, ...]:
        """The names of its land classes; empty if it tells none apart."""
        ...

    @property
    def tells_land(self) -> bool:
        """Whether `predict_chip` tells land classes; else there are no dates in its answer."""
        ...

    def predict_chip(
        self, chip: Chip
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]:
        """(H, W) logits of change, (date, class) scores, and (date, H, W) land classes by number."""
        ...

    def land(self, chip: Chip) -> NDArray[np.uint8]:
        """(date, H, W) land classes by number, whether change is likely or not."""
        ...


@runtime_checkable
class ClassifiesLand(Protocol):
    """A ChangeModel that classifies the land cover of each pixel at each date."""

    @property
    def land_classes(self) -> tuple[str, ...]:
        """The names of its land classes; empty if this network has no land head."""
        ...

    def change_and_land(
        self, batch: Batch, scores: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The result of `change_logits`, and (batch, date, height, width) uint8 class numbers.

        Asked for where there are `land_classes`. NO_LAND_CLASS where it did not look, for want of likely
        change. scores: see NamesClasses.
        """
        ...

    def land(self, batch: Batch) -> torch.Tensor:
        """(batch, date, height, width) uint8 numbers of classes, whether change is likely or not."""
        ...


class NamesAndClassifies(Protocol):
    """A NamesClasses that is a ClassifiesLand, too."""

    def named_change_and_land(
        self, batch: Batch, names: tuple[Sequence[tuple[str, ...]], Sequence[tuple[str, ...]]]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """As `change_and_land`, with given class names for every chip at both dates."""
        ...


@runtime_checkable
class HasClassColours(Protocol):
    """A model whose land classes have colours of their own."""

    @property
    def class_colours(self) -> Mapping[str, str]:
        """By land class, as "#rrggbb"; empty without colours."""
        ...


@dataclass(frozen=True)
class NamingRule:
    """When a class name is assigned to a chip, and when none is.

    meanings: groups of names for one thing, whose scores are added. A name in no group is its own
    group. least_score: the least score of a group whose name is assigned.
    """

    meanings: tuple[tuple[str, ...], ...] = ()
    least_score: float = 0.0


ALWAYS_NAME = NamingRule()
"""The rule that always assigns a name."""


@runtime_checkable
class HasNamingRule(Protocol):
    """A NamesClasses with a calibrated least score for its names."""

    @property
    def naming(self) -> NamingRule:
        """Its naming rule."""
        ...


@runtime_checkable
class StatesConfidence(Protocol):
    """A ChangeModel whose polygons have a calibrated confidence."""

    @property
    def confidence(self) -> ConfidenceRule | None:
        """The confidence of its polygons; None where it is not calibrated."""
        ...


@runtime_checkable
class NamesClasses(Protocol):
    """A ChangeModel that also scores class names for each chip.

    classes: the names that it scores; empty if prompts are fixed.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """The names, in the order of the scores."""
        ...

    def class_scores(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, class) probabilities of `classes` at the date before and at the date after."""
        ...

    def change_logits(
        self, batch: Batch, scores: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """As in ChangeModel. scores: the result of `class_scores` for this batch, on the host."""
        ...

    def named_logits(
        self, batch: Batch, names: tuple[Sequence[tuple[str, ...]], Sequence[tuple[str, ...]]]
    ) -> torch.Tensor:
        """As `change_logits`, with given class names for every chip at both dates."""
        ...


@runtime_checkable
class ScoresPlaces(Protocol):
    """A NamesClasses that may name places by other scores than those that choose its prompts."""

    @property
    def scores_places(self) -> bool:
        """Whether it does."""
        ...

    def place_scores(self, batch: Batch, change: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As `class_scores`, for names of places. change: (batch, height, width) logits.

        NaN for a chip where no change is likely.
        """
        ...


@runtime_checkable
class ScoresChipPlaces(Protocol):
    """A PredictsChips that may name places by other scores than those that choose its prompts."""

    @property
    def scores_places(self) -> bool:
        """Whether it does."""
        ...

    def places(self, chip: Chip) -> NDArray[np.float32]:
        """(date, class) scores for the place, whether change is likely or not."""
        ...
