"""JobQueue: gives the jobs of a list of any length as soon as those that they wait for are done."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Job:
    """A call for a worker, and the keys of earlier jobs that must be done before."""

    key: Hashable
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    after: tuple[Hashable, ...] = ()


@dataclass(slots=True)
class _Waiting:
    """A job that waits for some keys. It is dropped if one of them is lost."""

    job: Job
    missing: int
    dropped: bool = False


@dataclass
class JobQueue:
    """Jobs of a list in order, each after those that it waits for.

    read_ahead: the largest number of waiting jobs. With as many, reading of the list pauses. The cost
    of a job does not depend on the number of those that wait.
    """

    jobs: Iterable[Job]
    read_ahead: int
    waiting: int = 0
    _finished: set[Hashable] = field(default_factory=set)
    _lost: set[Hashable] = field(default_factory=set)
    _ready: deque[Job] = field(default_factory=deque)
    _blocked: dict[Hashable, list[_Waiting]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._pending = iter(self.jobs)

    def next(self) -> Job | None:
        """The next job that can start; None if there is none for now. Those that waited come first."""
        if self._ready:
            return self._ready.popleft()
        while self.waiting < self.read_ahead:
            job = next(self._pending, None)
            if job is None:
                return None
            if not self._lost.isdisjoint(job.after):
                self._lost.add(job.key)
            elif self._finished.issuperset(job.after):
                return job
            else:
                self._wait(job)
        return None

    def _wait(self, job: Job) -> None:
        missing = {key for key in job.after if key not in self._finished}
        entry = _Waiting(job, len(missing))
        self.waiting += 1
        for key in missing:
            self._blocked.setdefault(key, []).append(entry)

    def finish(self, key: Hashable) -> None:
        """Note that a job is done."""
        self._finished.add(key)
        for entry in self._blocked.pop(key, ()):
            entry.missing -= 1
            if not entry.missing and not entry.dropped:
                self.waiting -= 1
                self._ready.append(entry.job)

    def lose(self, key: Hashable) -> None:
        """Note that a job has no result. Those that wait for it are dropped, and so on."""
        left = [key]
        while left:
            lost = left.pop()
            self._lost.add(lost)
            for entry in self._blocked.pop(lost, ()):
                if not entry.dropped:
                    entry.dropped = True
                    self.waiting -= 1
                    left.append(entry.job.key)

    def blocked_key(self) -> Hashable:
        """The key of a job that waits."""
        entries = (entry for waiting in self._blocked.values() for entry in waiting)
        return next(entry.job.key for entry in entries if not entry.dropped)
