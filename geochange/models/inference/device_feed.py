"""Device feed: keeps one device busy with the chips of all threads of a process.

Two threads serve a device: one stacks and sends the next batch, the other launches the model on the
current one. Each caller waits for its own answers and gathers them.
"""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any

from geochange.errors import RunError
from geochange.models.inference.batch_size import measure_batch_size
from geochange.models.inference.chip_queue import ChipQueue
from geochange.models.inference.device_transfer import PendingResult
from geochange.models.inference.engine import InferenceEngine, LoadedBatch, Row, ScoredBatch
from geochange.models.inference.prediction import Prediction
from geochange.models.inference.request import FailingRequests, Request
from geochange.models.protocol import ChangeModel

MAX_IN_FLIGHT = 2
"""The most batches that are launched and not answered: one is running, the next is ready."""

CLOSE_TIMEOUT_S = 30.0
"""How long the process waits for a running batch when it ends."""


class DeviceFeed:
    """Predicts chips with one model on one device.

    batch: the largest batch; None measures it when the first chips arrive.
    """

    def __init__(self, model: ChangeModel, device: str, batch: int | None) -> None:
        self.model = model
        self._engine = InferenceEngine(model, device)
        self._batch = batch
        self._sizes: dict[tuple[Any, ...], int] = {}
        self._line = ChipQueue()
        self._loads: SimpleQueue[LoadedBatch | None] = SimpleQueue()
        self._room = threading.Semaphore()
        self._in_flight: deque[tuple[LoadedBatch, list[PendingResult]]] = deque()
        self._open: set[Request] = set()
        self._guard = threading.Lock()
        self._finished = False
        self._threads = [
            threading.Thread(target=work, name=f"{name} {device}", daemon=True)
            for name, work in (("load", self._load_all), ("launch", self._launch_all))
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether chips are still accepted."""
        return all(thread.is_alive() for thread in self._threads)

    @property
    def waiting(self) -> int:
        """The number of chips without an answer."""
        with self._guard:
            return sum(request.left for request in self._open)

    def batch_of(self, request: Request) -> int:
        """The largest batch for chips like those of an answered request."""
        return self._size(request)

    def submit(self, request: Request) -> None:
        """Queue a request; `wait_for` must follow. Raises RunError if the feed has ended."""
        with self._guard:
            self._open.add(request)
        self._line.add(request)

    def wait_for(self, request: Request) -> Prediction:
        """Wait until all chips have an answer. Raises the error of a batch that held one of them."""
        try:
            return request.gather()
        finally:
            self._line.drop(request)
            with self._guard:
                self._open.discard(request)

    def close(self, wait_s: float = 0.0) -> None:
        """Accept no more requests. Both threads end after the requests in the queue."""
        self._line.close()
        for thread in self._threads:
            thread.join(wait_s)

    def abandon(self) -> None:
        """Fail the requests in the queue, then close, because the process ends."""
        self._line.close(emptied=True)
        self._fail_all("the process ends")
        self.close(CLOSE_TIMEOUT_S)

    def _fail_all(self, reason: str) -> None:
        with self._guard:
            for request in self._open:
                request.fail(
                    RunError(f"{self._engine.device}: {reason} before its tiles were predicted")
                )

    @contextmanager
    def _serving(self) -> Iterator[None]:
        """A context of a serving thread. Its failure fails all callers and ends the other thread."""
        whole = False
        try:
            yield
            whole = True
        finally:
            if not whole:
                self._line.close(emptied=True)
                self._fail_all("a thread that serves the device failed")
                self._loads.put(None)
                self._room.release()

    def _load_all(self) -> None:
        with self._serving():
            while (first := self._await_chips()) is not None:
                load = None
                with FailingRequests([first]):
                    size = self._size(first)
                    rows = self._line.take(size, self._engine.copier.full)
                    load = self._load(rows, size) if rows else None
                if load is None:
                    self._room.release()
                else:
                    self._loads.put(load)
            self._loads.put(None)

    def _await_chips(self) -> Request | None:
        """The next request, once there is room for a batch; None at the end."""
        self._room.acquire()
        return self._line.first()

    def _load(self, rows: list[Row], size: int) -> LoadedBatch | None:
        with FailingRequests(dict.fromkeys(request for request, _ in rows)):
            return self._engine.load(rows, size)
        return None

    def _size(self, request: Request) -> int:
        if request.kind not in self._sizes:
            self._sizes[request.kind] = self._batch or measure_batch_size(
                partial(self._engine.probe, request), self._engine.device
            )
        return min(self._sizes[request.kind], self._engine.most or sys.maxsize)

    def _launch_all(self) -> None:
        with self._serving():
            scored = None
            while scored is not None or not self._finished:
                load = self._next(wait=scored is None)
                # The next batch is scored before the logits of the current one. The host needs the scores
                # to choose names, and has them when it reaches that batch.
                fresh = None if load is None else self._score(load)
                if scored is not None:
                    self._decide(scored)
                scored = fresh

    def _next(self, wait: bool) -> LoadedBatch | None:
        """The next batch; None at the end, or if there is none and `wait` is false."""
        try:
            load = self._loads.get_nowait()
        except Empty:
            if not wait:
                return None
            self._finish_in_flight(1)
            self._line.set_device_idle(True)
            load = self._loads.get()
            self._line.set_device_idle(False)
        self._room.release()
        self._finished = load is None
        return load

    def _score(self, load: LoadedBatch) -> ScoredBatch | None:
        if all(request.failed for request in load.requests):
            return None
        with FailingRequests(load.requests):
            scored = self._engine.score(load)
            if scored is None:
                self._track_in_flight(load, self._engine.run(load))
            return scored
        return None

    def _decide(self, scored: ScoredBatch) -> None:
        with FailingRequests(scored.load.requests):
            self._track_in_flight(scored.load, self._engine.decide(scored))

    def _track_in_flight(self, load: LoadedBatch, coming: list[PendingResult]) -> None:
        """Keep the tensors that the device still reads until their answers arrive."""
        if any(answer.arrived is not None for answer in coming):
            self._in_flight.append((load, coming))
            self._finish_in_flight(MAX_IN_FLIGHT)

    def _finish_in_flight(self, most: int) -> None:
        while len(self._in_flight) > most:
            load, coming = self._in_flight.popleft()
            with FailingRequests(load.requests):
                for answer in coming:
                    answer.wait()
