"""Request: the chips of one caller, and the answers gathered for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from queue import SimpleQueue
from typing import Any

import numpy as np

from geochange.chip import Chip
from geochange.land_cover import NO_LAND_CLASS
from geochange.models.inference.device_transfer import PendingResult
from geochange.models.inference.prediction import (
    Prediction,
    check_finite,
    classes_of,
    land_classes_of,
)
from geochange.models.protocol import ChangeModel

BothNames = tuple[tuple[str, ...], tuple[str, ...]]
"""The class names of a chip at both dates."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a batch to a request: positions in the request, and rows of the batch."""

    places: list[int]
    rows: list[int]
    logits: PendingResult
    scores: PendingResult | None
    land: PendingResult | None = None


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

    names: the class names of every chip at both dates, for a model that takes them. land: whether it
    tells land classes, too, where names are given; without names it does so in any case. The caller's
    thread creates and gathers a request; other threads use `deliver` and `fail`.
    """

    def __init__(
        self,
        model: ChangeModel,
        chips: Sequence[Chip],
        names: Sequence[BothNames] | None,
        land: bool = False,
    ) -> None:
        self.chips = chips
        self.names = names
        self.model = model
        self.seen = [i for i, chip in enumerate(chips) if chip.valid.any()]
        self.land = bool(land_classes_of(model)) and (names is None or land)
        self.kind = (*_batch_kind(chips[0], names), self.land)
        if any((*_batch_kind(chip, names), self.land) != self.kind for chip in chips):
            raise ValueError("chips of one request must have the same shape, bands and dtype")
        self.failed = False
        self._left = len(self.seen)
        self._inbox: SimpleQueue[Answer | Exception] = SimpleQueue()
        self._classes = len(classes_of(model)) if names is None else 0
        self._dates = 2 if self.land else 0

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
            check_finite(self.model, self.chips[place], self._result.logits[place])
        self._left -= len(answer.places)


def _batch_kind(chip: Chip, names: Sequence[BothNames] | None) -> tuple[Any, ...]:
    """The properties that chips of one batch must share."""
    return (*chip.before.shape, chip.before.dtype.str, names is not None)
