"""Request: the chips of one caller, and the answers gathered for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from queue import SimpleQueue
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.errors import NotFiniteError
from geochange.land_cover import NO_LAND_CLASS
from geochange.models.confidence import ConfidenceRule
from geochange.models.inference.device_transfer import PendingResult
from geochange.models.protocol import (
    ALWAYS_NAME,
    ChangeModel,
    ClassifiesLand,
    HasNamingRule,
    NamesClasses,
    NamingRule,
    StatesConfidence,
)
from geochange.parallelism import SERIAL_VALUES

BothNames = tuple[tuple[str, ...], tuple[str, ...]]
"""The class names of a chip at both dates."""


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
        """The logits as float16, clipped to `limit`. torch converts four times as fast as numpy."""
        kept = np.empty(self.logits.shape, np.float16)
        whole, half = torch.from_numpy(self.logits).view(-1), torch.from_numpy(kept).view(-1)
        for start in range(0, len(whole), SERIAL_VALUES):
            part = slice(start, start + SERIAL_VALUES)
            half[part].copy_(whole[part].clamp(-limit, limit))
        return kept


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a batch to a request: positions in the request, and rows of the batch."""

    places: list[int]
    rows: list[int]
    logits: PendingResult
    scores: PendingResult | None
    land: PendingResult | None = None


def classes_of(model: ChangeModel) -> tuple[str, ...]:
    """The class names that a model scores; most models have none."""
    return model.classes if isinstance(model, NamesClasses) else ()


def naming_of(model: ChangeModel) -> NamingRule:
    """The naming rule of a model; by default a name is always assigned."""
    return model.naming if isinstance(model, HasNamingRule) else ALWAYS_NAME


def confidence_of(model: ChangeModel) -> ConfidenceRule | None:
    """The confidence of a model's polygons; most models are not calibrated."""
    return model.confidence if isinstance(model, StatesConfidence) else None


def land_classes_of(model: ChangeModel) -> tuple[str, ...]:
    """The land classes of a model; most models have none."""
    return model.land_classes if isinstance(model, ClassifiesLand) else ()


class FailingRequests:
    """A context that passes its errors to the callers of these requests."""

    def __init__(self, requests: Iterable[Request]) -> None:
        self._requests = list(requests)

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        for request in self._requests:
            request.fail(error)
        return True


class Request:
    """Chips of one shape, spread over any number of batches. Chips without data are skipped.

    names: the class names of every chip at both dates, for a model that takes them. The caller's
    thread creates and gathers a request; other threads use `deliver` and `fail`.
    """

    def __init__(
        self, model: ChangeModel, chips: Sequence[Chip], names: Sequence[BothNames] | None
    ) -> None:
        self.chips = chips
        self.names = names
        self.model_name = f"{type(model).__module__}:{type(model).__qualname__}"
        self.seen = [i for i, chip in enumerate(chips) if chip.valid.any()]
        self.kind = _batch_kind(chips[0], names)
        if any(_batch_kind(chip, names) != self.kind for chip in chips):
            raise ValueError("chips of one request must have the same shape, bands and dtype")
        self.failed = False
        self._left = len(self.seen)
        self._inbox: SimpleQueue[Answer | Exception] = SimpleQueue()
        self._classes = len(classes_of(model)) if names is None else 0
        self._dates = 2 if names is None and land_classes_of(model) else 0

    @property
    def left(self) -> int:
        """The number of chips without an answer."""
        return self._left

    @cached_property
    def _result(self) -> Prediction:
        """The prediction so far; allocated with the first answer."""
        logits = np.empty((len(self.chips), *self.chips[0].shape), np.float32)
        logits[sorted(set(range(len(self.chips))).difference(self.seen))] = np.nan
        scores = np.full((len(self.chips), 2, self._classes), np.nan, np.float32)
        land = np.full(
            (len(self.chips), self._dates, *self.chips[0].shape), NO_LAND_CLASS, np.uint8
        )
        return Prediction(logits, scores, land)

    def deliver(self, answer: Answer) -> None:
        """Add the answer of a batch."""
        self._inbox.put(answer)

    def fail(self, error: Exception) -> None:
        """Fail the request with this error. It waits for no more answers."""
        self.failed = True
        self._inbox.put(error)

    def gather(self) -> Prediction:
        """Wait for the answers to all chips. Raises the errors of their batches."""
        while self._left:
            self._take()
        return self._result

    def store_delivered(self) -> None:
        """Store the answers that have arrived, which frees their memory."""
        while not self._inbox.empty():
            self._take()

    def _take(self) -> None:
        answer = self._inbox.get()
        if isinstance(answer, Exception):
            raise answer
        logits = answer.logits.to_numpy()
        for place, row in zip(answer.places, answer.rows, strict=True):
            self._result.logits[place] = logits[row]
        if answer.scores is not None:
            self._result.scores[answer.places] = answer.scores.to_numpy()[answer.rows]
        if answer.land is not None:
            land = answer.land.to_numpy()
            for place, row in zip(answer.places, answer.rows, strict=True):
                self._result.land[place] = land[row]
                self._result.land[place][:, ~self.chips[place].valid] = NO_LAND_CLASS
        for place in answer.places:
            self._check(place)
        self._left -= len(answer.places)

    def _check(self, place: int) -> None:
        logits, valid = self._result.logits[place], self.chips[place].valid
        if not np.isfinite(logits).all():
            raise NotFiniteError(
                f"model {self.model_name} answered with numbers that are not finite: its weights are "
                "damaged, or too large for this precision; use other weights, or --precision float32"
            )
        if not valid.all():
            logits[~valid] = np.nan


def _batch_kind(chip: Chip, names: Sequence[BothNames] | None) -> tuple[Any, ...]:
    """The properties that chips of one batch must share."""
    return (*chip.before.shape, chip.before.dtype.str, names is not None)
