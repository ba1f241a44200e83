"""SimulatedCluster: runs a job list in simulated time, on any number of threads and without a network.

The list is read and submitted as in a run (`run_bounded`). Nothing is computed.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from geochange.cluster.job_queue import Job
from geochange.cluster.jobs import run_bounded


@dataclass(frozen=True)
class Simulation:
    """What a simulation shows. most_alive: of tasks at once. seconds: until the last task ended.

    busy: the share of the time in which threads work, until the list is exhausted.
    """

    tasks: int
    most_alive: int
    seconds: float
    busy: float


@dataclass(eq=False)
class _Call:
    """A submitted call, as a future."""

    start_s: float
    end_s: float

    def exception(self) -> None:
        """No call fails."""

    def result(self) -> None:
        """No call has a result."""


@dataclass(eq=False)
class SimulatedCluster:
    """A client whose calls take simulated time.

    threads: of all workers. seconds_of: how long a call takes. task_s: seconds of the scheduler for each
    task, in which it does nothing else.
    """

    threads: int
    seconds_of: Callable[[Callable[..., Any]], float]
    task_s: float
    now_s: float = 0.0
    calls: list[_Call] = field(default_factory=list)
    most_alive: int = 0
    _free: list[float] = field(default_factory=list)
    _running: list[tuple[float, int, _Call]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._free = [0.0] * self.threads

    def nthreads(self) -> dict[str, int]:
        """The number of threads."""
        return {"simulated": self.threads}

    def submit(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> _Call:
        """Note a call on the thread that is free first."""
        self.now_s += self.task_s
        start_s = max(self.now_s, heapq.heappop(self._free))
        call = _Call(start_s, start_s + self.seconds_of(function))
        heapq.heappush(self._free, call.end_s)
        heapq.heappush(self._running, (call.end_s, len(self.calls), call))
        self.calls.append(call)
        self.most_alive = max(self.most_alive, len(self._running))
        return call

    def cancel(self, futures: list[Any], **settings: Any) -> None:
        """Nothing is left to cancel."""

    def stream(self) -> SimulatedCluster:
        """The calls as they end."""
        return self

    def add(self, call: _Call) -> None:
        """Every submitted call is in the stream."""

    def __iter__(self) -> SimulatedCluster:
        return self

    def __next__(self) -> _Call:
        end_s, _, call = heapq.heappop(self._running)
        self.now_s = max(self.now_s, end_s)
        return call


def simulate(cluster: SimulatedCluster, jobs: Iterable[Job]) -> Simulation:
    """Run a job list on a new cluster."""
    ended_s = 0.0

    def listed() -> Iterator[Job]:
        nonlocal ended_s
        yield from jobs
        ended_s = cluster.now_s

    run_bounded(cluster, listed(), lambda *_: None)
    worked = sum(min(call.end_s, ended_s) - min(call.start_s, ended_s) for call in cluster.calls)
    busy = worked / (cluster.threads * ended_s) if ended_s else 1.0
    return Simulation(len(cluster.calls), cluster.most_alive, cluster.now_s, busy)
