"""Inference engine: runs a model on batches on its device, in smaller parts if memory is short."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar, cast

import torch

from geochange.errors import RunError
from geochange.models.inference.batch import Batch, stack
from geochange.models.inference.device_transfer import PendingResult, copier_for
from geochange.models.inference.prediction import classes_of, land_classes_of
from geochange.models.inference.request import Answer, Request
from geochange.models.protocol import (
    ChangeModel,
    ClassifiesLand,
    NamesAndClassifies,
    NamesClasses,
    ScoresPlaces,
)

logger = logging.getLogger(__name__)

Row = tuple[Request, int]
"""A chip of a batch: its request, and its position in that request."""

Names = tuple[str, ...]
T = TypeVar("T")

_locks: dict[str, threading.Lock] = {}
_locks_guard = threading.Lock()


def _lock(device: str) -> threading.Lock:
    with _locks_guard:
        return _locks.setdefault(device, threading.Lock())


@dataclass(frozen=True, slots=True, eq=False)
class LoadedBatch:
    """A batch on its device, or in transfer to it, with the requests of its chips.

    The batch may hold more chips than rows; the additional ones are padding. ready: see Carrier.
    """

    rows: Sequence[Row]
    batch: Batch
    ready: Any = None

    @property
    def requests(self) -> list[Request]:
        """All requests with a chip in the batch."""
        return list(dict.fromkeys(request for request, _ in self.rows))

    def names(self) -> tuple[list[Names], list[Names]] | None:
        """The class names of every chip at both dates, if they are given."""
        given = [request.names[place] for request, place in self.rows if request.names is not None]
        if not given:
            return None
        given += [given[-1]] * (len(self.batch) - len(given))
        before, after = zip(*given, strict=True)
        return list(before), list(after)

    def halves(self) -> list[LoadedBatch]:
        """The same chips in two batches. A second batch with padding only is left out."""
        middle = (len(self.batch) + 1) // 2
        parts = (slice(None, middle), slice(middle, None))
        loads = [LoadedBatch(self.rows[part], self.batch[part], self.ready) for part in parts]
        return [load for load in loads if load.rows]


@dataclass(frozen=True, slots=True, eq=False)
class ScoredBatch:
    """A batch with the class scores of a model that has classes.

    scores: (chip, date, class), in transfer to the host, which chooses the names.
    """

    load: LoadedBatch
    scores: PendingResult | None


class InferenceEngine:
    """Runs a model on batches. It remembers the largest number of chips that fit in memory.

    Every step is launched under the lock of the device, so threads that share it take turns.
    """

    def __init__(self, model: ChangeModel, device: str) -> None:
        self.model = model
        self.device = device
        self.copier = copier_for(device)
        self.most: int | None = None
        self._lock = _lock(device)

    def load(self, rows: Sequence[Row], size: int) -> LoadedBatch:
        """Stack chips and send them. On a GPU sizes are rounded up, as each new size has setup costs."""
        chips = [request.chips[place] for request, place in rows]
        if self.copier.full:
            room = min(1 << (len(chips) - 1).bit_length(), size)
            chips += [chips[-1]] * (room - len(chips))
        return LoadedBatch(rows, *self.copier.to_device(stack(chips, self.copier.pinned)))

    def run(self, load: LoadedBatch) -> list[PendingResult]:
        """Run the model on a batch and deliver the answers, in smaller parts if memory is short.

        Returns the copies in transfer. Raises RunError if a single chip does not fit.
        """
        waiting, coming = [load], []
        while waiting:
            part = waiting.pop(0)
            if (
                self._exceeds_memory(part)
                or (done := self._attempt(part, self._score_and_decide)) is None
            ):
                waiting[:0] = part.halves()
            else:
                coming += done
        return coming

    def score(self, load: LoadedBatch) -> ScoredBatch | None:
        """The first step of `run`: score the classes. None if memory was short."""
        return None if self._exceeds_memory(load) else self._attempt(load, self._score)

    def decide(self, scored: ScoredBatch) -> list[PendingResult]:
        """The second step of `run`: compute and deliver logits. Starts again if memory was short."""
        done = self._attempt(scored.load, lambda _: self._decide(scored))
        return self.run(scored.load) if done is None else done

    def probe(self, request: Request, count: int) -> None:
        """Run the model on `count` copies of the first chip and wait. The answer is dropped."""
        load = self.load([(request, request.seen[0])] * count, count)
        with self._device_lock():
            scored = self._score(load)
            answer = self._result(scored)
            self._place_scores(scored, answer[0])
            for each in answer:
                self.copier.to_host(each).wait()

    @contextmanager
    def _device_lock(self) -> Iterator[None]:
        with self._lock, self.copier.on_device(), torch.no_grad():
            yield

    def _exceeds_memory(self, load: LoadedBatch) -> bool:
        return self.most is not None and len(load.batch) > self.most

    def _attempt(self, load: LoadedBatch, step: Callable[[LoadedBatch], T]) -> T | None:
        """Run a step under the lock. If memory is short, lower `most` and return None."""
        try:
            with self._device_lock():
                return step(load)
        except torch.OutOfMemoryError as error:
            reason = str(error).splitlines()[0]
        # This runs outside the except block, because the traceback keeps the tensors of the failed step
        # alive.
        self._shrink(load, reason)
        return None

    def _shrink(self, load: LoadedBatch, reason: str) -> None:
        with self._device_lock():
            self.copier.synchronize()
        count, (height, width) = len(load.batch), load.batch.valid.shape[1:]
        if count == 1:
            raise RunError(
                f"{self.device} has too little memory for a single tile of {height} x {width} px "
                f"({reason}); choose a smaller --tile, or another --device"
            )
        if self.most is None:
            logger.warning(
                "%s has too little memory for %d tiles at once: continuing with fewer (--batch %d "
                "avoids this warning)",
                *(self.device, count, count // 2),
            )
        self.most = min(count // 2, self.most or count)

    def _score_and_decide(self, load: LoadedBatch) -> list[PendingResult]:
        return self._decide(self._score(load))

    def _score(self, load: LoadedBatch) -> ScoredBatch:
        self.copier.wait_for_arrival(load.ready)
        if load.rows[0][0].names is not None or not classes_of(self.model):
            return ScoredBatch(load, None)
        scores = cast(NamesClasses, self.model).class_scores(load.batch)
        return ScoredBatch(load, self.copier.to_host(torch.stack(scores, dim=1)))

    def _decide(self, scored: ScoredBatch) -> list[PendingResult]:
        answer = self._result(scored)
        logits, *land = [self.copier.to_host(each) for each in answer]
        places = self._place_scores(scored, answer[0])
        rows = enumerate(scored.load.rows)
        for request, items in groupby(rows, key=lambda item: item[1][0]):
            numbers, owned = zip(*items, strict=True)
            taken = [place for _, place in owned]
            request.deliver(Answer(taken, list(numbers), logits, places, *land))
        return [logits, *land] if places is None else [logits, places, *land]

    def _place_scores(self, scored: ScoredBatch, change: torch.Tensor) -> PendingResult | None:
        """The scores by which places are named: those of the prompts, unless the model has others."""
        model = self.model
        if scored.scores is None or not (isinstance(model, ScoresPlaces) and model.scores_places):
            return scored.scores
        scores = model.place_scores(scored.load.batch, change)
        return self.copier.to_host(torch.stack(scores, dim=1))

    def _result(self, scored: ScoredBatch) -> list[torch.Tensor]:
        """The logits of change, and the land classes if the model has them."""
        load, model = scored.load, self.model
        if names := load.names():
            if load.rows[0][0].land:
                return list(
                    cast(NamesAndClassifies, model).named_change_and_land(load.batch, names)
                )
            return [cast(NamesClasses, model).named_logits(load.batch, names)]
        scores = None
        if scored.scores is not None:
            # The names are chosen on the host. Reading scores from the device would block it.
            scored.scores.wait()
            scores = cast(tuple[torch.Tensor, torch.Tensor], scored.scores.host.unbind(1))
        if land_classes_of(model):
            return list(cast(ClassifiesLand, model).change_and_land(load.batch, scores))
        if scores is None:
            return [model.change_logits(load.batch)]
        return [cast(NamesClasses, model).change_logits(load.batch, scores)]
