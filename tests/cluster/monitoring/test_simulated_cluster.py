"""A job list in simulated time: as long as arithmetic says, and nothing is called."""

from __future__ import annotations

import pytest

from geochange.cluster.job_queue import Job
from geochange.cluster.monitoring.simulated_cluster import SimulatedCluster, simulate


def never(number: int) -> int:
    raise AssertionError("it was called")


def test_time_is_that_of_the_threads() -> None:
    found = simulate(
        SimulatedCluster(4, lambda _: 2.0, 0.0), (Job(n, never, (n,)) for n in range(40))
    )
    assert (found.tasks, found.most_alive, found.seconds, found.busy) == (40, 8, 20.0, 1.0)


def test_a_slow_scheduler_leaves_threads_idle() -> None:
    cluster = SimulatedCluster(100, lambda _: 1.0, 0.1)
    found = simulate(cluster, (Job(n, never, (n,)) for n in range(1000)))
    assert found.seconds == pytest.approx(1000 * 0.1 + 1.0)
    assert found.busy == pytest.approx(0.1, abs=0.02)


def test_a_job_begins_after_those_it_waits_for() -> None:
    chain = [Job(n, never, (n,), (n - 1,) if n else ()) for n in range(5)]
    found = simulate(SimulatedCluster(3, lambda _: 1.0, 0.0), chain)
    assert (found.seconds, found.most_alive) == (5.0, 1)
