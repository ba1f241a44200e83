"""Traffic: the bytes and retries of a task, counted where they happen and sent with its result."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, fields


@dataclass(frozen=True, slots=True)
class Traffic:
    """What was moved.

    input_bytes: pixels that were read from the inputs, uncompressed. work_read_bytes,
    work_written_bytes: values of the work of a run, as they are stored. retries: repeated reads of the
    inputs. Repetitions within one request, by GDAL or obstore, are not counted.
    """

    input_bytes: int = 0
    work_read_bytes: int = 0
    work_written_bytes: int = 0
    retries: int = 0

    def __add__(self, other: Traffic) -> Traffic:
        sums = (getattr(self, each.name) + getattr(other, each.name) for each in fields(Traffic))
        return Traffic(*sums)


class TrafficCounter:
    """Adds up traffic. Threads may share it."""

    def __init__(self) -> None:
        self.total = Traffic()
        self._lock = threading.Lock()

    def add(self, more: Traffic) -> None:
        """Add traffic."""
        with self._lock:
            self.total += more


_counter: ContextVar[TrafficCounter | None] = ContextVar("traffic", default=None)
# A variable of the context, because zarr reads chunks in threads of its own, which inherit it.


@contextmanager
def counting() -> Iterator[TrafficCounter]:
    """Count the traffic of this context, also of threads that inherit it."""
    counter = TrafficCounter()
    token = _counter.set(counter)
    try:
        yield counter
    finally:
        _counter.reset(token)


def count(more: Traffic) -> None:
    """Count traffic, if somebody is counting in this context."""
    counter = _counter.get()
    if counter is not None:
        counter.add(more)
