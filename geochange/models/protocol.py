"""ChangeModel: what a network is to the rest of the house."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch

from geochange.chip import Chip
from geochange.models.inference.batch import Batch

Statistics = Mapping[str, Any]
"""What a model learnt of one scene: plain numbers and lists, so that it travels and is stored as JSON."""


@runtime_checkable
class ChangeModel(Protocol):
    """Finds change in batches of chips.

    bands: how many bands a date must have; None takes any number.
    threshold: the probability from which a pixel is called changed, unless the user says otherwise.
    """

    bands: int | None
    threshold: float

    def fit(self, sample: Sequence[Chip]) -> Statistics:
        """Learn scene-wide statistics from chips spread over the scene; {} where none are needed.

        Called once per run, before tiling, in one process.
        """
        ...

    def adopt(self, statistics: Statistics) -> None:
        """Take statistics that `fit` returned, here or in another process."""
        ...

    def change_logits(self, batch: Batch) -> torch.Tensor:
        """(batch, height, width) float32: the logit of change, that of class 1 less that of class 0.

        A chip's answer must not depend on the chips it shares the batch with.
        """
        ...


@runtime_checkable
class SeesLand(Protocol):
    """A ChangeModel that sees what stands on each pixel of a date."""

    @property
    def land_classes(self) -> tuple[str, ...]:
        """What it tells apart; none where this network has no head for it."""
        ...

    def change_and_land(
        self, batch: Batch, scores: tuple[torch.Tensor, torch.Tensor] | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What `change_logits` gives, and (batch, date, height, width) uint8 numbers of classes.

        Asked for where there are `land_classes`. UNSEEN where it did not look, for want of likely
        change. scores: see NamesClasses.
        """
        ...

    def land(self, batch: Batch) -> torch.Tensor:
        """(batch, date, height, width) uint8 numbers of classes, whether change is likely or not."""
        ...


@dataclass(frozen=True)
class NamingRule:
    """When a name is said, and when nothing is.

    meanings: names of one thing, whose scores add up; a name in none of them stands for itself.
    least_score: what a meaning scores at least for a name of it to be said.
    """

    meanings: tuple[tuple[str, ...], ...] = ()
    least_score: float = 0.0


ALWAYS = NamingRule()
"""A name is said whatever it scores."""


@runtime_checkable
class KnowsItsNames(Protocol):
    """A NamesClasses that knows from which score on its names are right."""

    @property
    def naming(self) -> NamingRule:
        """When it says a name."""
        ...


@runtime_checkable
class NamesClasses(Protocol):
    """A ChangeModel that, on its way, scores what each chip shows.

    classes: the names it scores; none where it was told not to.
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
        """As ChangeModel's; `scores` are what `class_scores` said of this batch, on the host."""
        ...

    def named_logits(
        self, batch: Batch, names: tuple[Sequence[tuple[str, ...]], Sequence[tuple[str, ...]]]
    ) -> torch.Tensor:
        """As `change_logits`, with the class names of every chip at both dates given."""
        ...
