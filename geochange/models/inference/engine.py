"""Looker: a model on its device, shown one batch at a time, in as many parts as memory allows."""

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
from geochange.models.inference.request import Answer, Request, classes_of, land_classes_of
from geochange.models.inference.transfer import Coming, carrier_to
from geochange.models.protocol import ChangeModel, NamesClasses, SeesLand

logger = logging.getLogger(__name__)

Row = tuple[Request, int]
"""A chip of a batch: whose it is, and its place among that caller's chips."""

Names = tuple[str, ...]
T = TypeVar("T")

_locks: dict[str, threading.Lock] = {}
_locks_guard = threading.Lock()


def _lock(device: str) -> threading.Lock:
    with _locks_guard:
        return _locks.setdefault(device, threading.Lock())


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """A batch on its device, or on its way there, and whose chips it holds.

    The batch may hold more chips than there are rows, which only fill it. ready: see Carrier.
    """

    rows: Sequence[Row]
    batch: Batch
    ready: Any = None

    @property
    def requests(self) -> list[Request]:
        """Everyone with a chip in the batch."""
        return list(dict.fromkeys(request for request, _ in self.rows))

    def names(self) -> tuple[list[Names], list[Names]] | None:
        """The class names of every chip of the batch at both dates, where they are given."""
        given = [request.names[place] for request, place in self.rows if request.names is not None]
        if not given:
            return None
        given += [given[-1]] * (len(self.batch) - len(given))
        before, after = zip(*given, strict=True)
        return list(before), list(after)

    def halves(self) -> list[Load]:
        """The same chips in two batches; one, where the second would only be filling."""
        middle = (len(self.batch) + 1) // 2
        parts = (slice(None, middle), slice(middle, None))
        loads = [Load(self.rows[part], self.batch[part], self.ready) for part in parts]
        return [load for load in loads if load.rows]


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A batch whose classes are scored, where the model does so.

    scores: (chip, date, class), on their way to the host, which names the classes.
    """

    load: Load
    scores: Coming | None


class Looker:
    """What shows batches to a model; it knows how many chips at once were too many.

    Every step is launched under the lock of the device, so threads that share it take turns.
    """

    def __init__(self, model: ChangeModel, device: str) -> None:
        self.model = model
        self.device = device
        self.carrier = carrier_to(device)
        self.most: int | None = None
        self._lock = _lock(device)

    def load(self, rows: Sequence[Row], size: int) -> Load:
        """Stack chips and send them. A GPU gets one of few sizes, for which it is set up once."""
        chips = [request.chips[place] for request, place in rows]
        if self.carrier.full:
            room = min(1 << (len(chips) - 1).bit_length(), size)
            chips += [chips[-1]] * (room - len(chips))
        return Load(rows, *self.carrier.send(stack(chips, self.carrier.pinned)))

    def look(self, load: Load) -> list[Coming]:
        """Show a batch and deliver its answers; in smaller parts if memory does not suffice.

        Gives what is on its way. Raises RunError where there is too little for a single chip.
        """
        waiting, coming = [load], []
        while waiting:
            part = waiting.pop(0)
            if self._too_many(part) or (done := self._attempt(part, self._both)) is None:
                waiting[:0] = part.halves()
            else:
                coming += done
        return coming

    def score(self, load: Load) -> Scored | None:
        """The first step of `look`; None where memory did not suffice for it."""
        return None if self._too_many(load) else self._attempt(load, self._score)

    def decide(self, scored: Scored) -> list[Coming]:
        """The second step, which delivers; all of `look` anew if memory did not suffice."""
        done = self._attempt(scored.load, lambda _: self._decide(scored))
        return self.look(scored.load) if done is None else done

    def probe(self, request: Request, count: int) -> None:
        """Show the first chip of a request, so many times, and wait; the answer goes nowhere."""
        load = self.load([(request, request.seen[0])] * count, count)
        with self._turn():
            for coming in self._said(self._score(load)):
                coming.wait()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._lock, self.carrier.here(), torch.no_grad():
            yield

    def _too_many(self, load: Load) -> bool:
        return self.most is not None and len(load.batch) > self.most

    def _attempt(self, load: Load, step: Callable[[Load], T]) -> T | None:
        """A step under the lock; None, with `most` lowered, if memory did not suffice."""
        try:
            with self._turn():
                return step(load)
        except torch.OutOfMemoryError as error:
            reason = str(error).splitlines()[0]
        # Behind the except: the traceback would keep alive what the failed step had made.
        self._shrink(load, reason)
        return None

    def _shrink(self, load: Load, reason: str) -> None:
        with self._turn():
            self.carrier.settle()
        count, (height, width) = len(load.batch), load.batch.valid.shape[1:]
        if count == 1:
            raise RunError(
                f"{self.device} has too little memory for a single tile of {height} x {width} px "
                f"({reason}); take a smaller --tile, or another --device"
            )
        if self.most is None:
            logger.warning(
                "%s has too little memory for %d tiles at once: going on with fewer (--batch %d "
                "begins there)",
                *(self.device, count, count // 2),
            )
        self.most = min(count // 2, self.most or count)

    def _both(self, load: Load) -> list[Coming]:
        return self._decide(self._score(load))

    def _score(self, load: Load) -> Scored:
        self.carrier.receive(load.ready)
        if load.rows[0][0].names is not None or not classes_of(self.model):
            return Scored(load, None)
        scores = cast(NamesClasses, self.model).class_scores(load.batch)
        return Scored(load, self.carrier.fetch(torch.stack(scores, dim=1)))

    def _decide(self, scored: Scored) -> list[Coming]:
        logits, *land = self._said(scored)
        rows = enumerate(scored.load.rows)
        for request, items in groupby(rows, key=lambda item: item[1][0]):
            numbers, owned = zip(*items, strict=True)
            places = [place for _, place in owned]
            answer = Answer(places, list(numbers), logits, scored.scores, *land)
            request.deliver(answer)
        return [logits, *land]

    def _said(self, scored: Scored) -> list[Coming]:
        """The logits of change, and what stands there, of a model that sees it."""
        load, model = scored.load, self.model
        if names := load.names():
            logits = cast(NamesClasses, model).named_logits(load.batch, names)
            return [self.carrier.fetch(logits)]
        scores = None
        if scored.scores is not None:
            # On the host, where names are chosen: asking the device would have it wait for us.
            scored.scores.wait()
            scores = cast(tuple[torch.Tensor, torch.Tensor], scored.scores.host.unbind(1))
        if land_classes_of(model):
            both = cast(SeesLand, model).change_and_land(load.batch, scores)
            return [self.carrier.fetch(each) for each in both]
        if scores is None:
            return [self.carrier.fetch(model.change_logits(load.batch))]
        return [self.carrier.fetch(cast(NamesClasses, model).change_logits(load.batch, scores))]
