"""A cluster starts again what it has lost, and what could not be started."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from distributed import LocalCluster, Scheduler
from distributed.deploy.spec import ProcessInterface, SpecCluster

from geochange.cluster.dask_clusters import cluster_address, replace_lost_workers

REFUSALS: list[str] = []
"""What the queue says to the next jobs."""


class QueuedJob(ProcessInterface):
    """A job of a worker, which the queue may refuse."""

    async def start(self) -> None:
        if REFUSALS:
            raise RuntimeError(REFUSALS.pop())
        await super().start()


async def counts_of_workers() -> list[int]:
    """The number of jobs after each step."""
    options = {"protocol": "inproc", "dashboard": False, "dashboard_address": "127.0.0.1:0"}
    async with SpecCluster(
        scheduler={"cls": Scheduler, "options": options},
        worker={"cls": QueuedJob, "options": {}},
        asynchronous=True,
    ) as cluster:
        for _ in range(3):
            cluster.worker_spec.update(cluster.new_worker_spec())
        counts = []
        for _ in range(2):
            await replace_lost_workers(cluster)
            counts.append(sum(job.status.name == "running" for job in cluster.workers.values()))
        cluster.workers.popitem()  # as Dask does when a worker is lost
        await replace_lost_workers(cluster)
        return [*counts, len(cluster.workers)]


@pytest.mark.slow
def test_refused_and_lost_jobs_are_submitted_again(caplog: pytest.LogCaptureFixture) -> None:
    REFUSALS.append("sbatch: error:\nQOSMaxSubmitJobPerUserLimit")
    assert asyncio.run(counts_of_workers()) == [2, 3, 3]
    said = "a worker cannot be started: sbatch: error: QOSMaxSubmitJobPerUserLimit"
    own = [each.getMessage() for each in caplog.records if each.name.startswith("geochange")]
    assert own == [said]


@pytest.mark.slow
def test_a_cluster_that_replaces_its_workers_itself_is_left_alone() -> None:
    own: dict[str, Any] = {"processes": False, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(n_workers=1, **own) as cluster:
        kubernetes = SimpleNamespace(
            scheduler_address=cluster.scheduler_address, status=cluster.status
        )
        with cluster_address(kubernetes, 1, wait_s=10) as address:
            assert address == cluster.scheduler_address
