"""A cluster that fails ends a run in one line, with work that can resume."""

from __future__ import annotations

import logging
from concurrent.futures import CancelledError
from types import SimpleNamespace
from typing import Any, cast

import dask
import pytest
from distributed import Client, LocalCluster
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from geochange.cluster.dask_jobs import DASK_LOGS, connect
from geochange.cluster.failures import NO_WORKERS_TIMEOUT, WorkerWatch, as_cluster_error
from geochange.cluster.job_queue import Job
from geochange.cluster.jobs import run_bounded
from geochange.errors import RunError


class NoWorkerError(Exception):
    """That of Dask, by name."""


WORKER = SimpleNamespace(address="tls://10.0.0.2:1")

FAILURES = {
    "four workers ended": (
        KilledWorker("job", cast(Any, WORKER), 3),
        r"^4 workers ended while they worked on the same block, the last one at tls://10\.0\.0\.2:1;",
    ),
    "a scheduler ended": (CancelledError("lost"), "^the connection to the scheduler is lost;"),
    "a link is down": (CommClosedError("in"), "^the connection to the scheduler is lost;"),
    "no workers for long": (
        NoWorkerError("job"),
        "^all workers are gone, and none came up in 2 min",
    ),
}


@pytest.mark.parametrize(("error", "said"), FAILURES.values(), ids=FAILURES.keys())
def test_failures_of_a_cluster_are_explained(error: Exception, said: str) -> None:
    with (
        dask.config.set({NO_WORKERS_TIMEOUT: "2 minutes"}),
        pytest.raises(RunError, match=said),
        as_cluster_error(),
    ):
        raise error


def test_other_errors_stay_what_they_are() -> None:
    with pytest.raises(OSError, match="disk"), as_cluster_error():
        raise OSError("disk")


def test_workers_may_stay_away_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    times, workers = [0, 59, 70, 100, 159, 160], dict[str, int]()
    clock = SimpleNamespace(monotonic=lambda: times.pop(0))
    monkeypatch.setattr("geochange.cluster.failures.time", clock)
    watch = WorkerWatch(cast(Client, SimpleNamespace(nthreads=lambda: workers)), 60)
    watch.check()
    watch.check()
    workers["tls://10.0.0.2:1"] = 1  # one came up, and the time starts again
    watch.check()
    workers.clear()
    watch.check()
    watch.check()
    with pytest.raises(RunError, match=r"^all workers are gone, and none came up in 1 minutes"):
        watch.check()


def test_a_scheduler_that_does_not_answer_ends_the_run() -> None:
    def nthreads() -> None:
        raise OSError("timed out")

    with pytest.raises(RunError, match=r"^the connection to the scheduler is lost;"):
        WorkerWatch(cast(Client, SimpleNamespace(nthreads=nthreads)), 60).check()


@pytest.mark.slow
def test_jobs_do_not_wait_for_ever_without_workers() -> None:
    own = {"n_workers": 0, "processes": False, "dashboard_address": "127.0.0.1:0"}
    with (
        LocalCluster(**own) as cluster,
        Client(cluster) as client,
        dask.config.set({NO_WORKERS_TIMEOUT: "200 ms"}),
        pytest.raises(RunError, match=r"^all workers are gone"),
    ):
        run_bounded(client, [Job("job", int, ("7",))], lambda job, answer: None)


def test_no_log_of_dask_is_printed() -> None:
    with connect(None, 0, 1):
        for name in (*DASK_LOGS, "distributed.scheduler", "distributed.worker"):
            assert logging.getLogger(name).getEffectiveLevel() == logging.CRITICAL, name
