"""Clusters that start their own workers, such as those of dask-cuda and dask-jobqueue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dask
from distributed import Client
from distributed.core import Status

from geochange.cluster.tls import CERTIFICATES
from geochange.errors import OptionError, one_line

logger = logging.getLogger(__name__)

WAIT_S = 600.0
REPLACE_S = 5.0
"""The time between two looks for lost workers."""


@contextmanager
def cluster_address(
    cluster: Any, workers: int | None = None, wait_s: float = WAIT_S
) -> Iterator[str]:
    """The address of a Dask cluster's scheduler, for the option `scheduler`, once workers are ready.

    In this context Dask is configured with the keys of the cluster, if it has any, and the cluster
    replaces the workers that it loses.
    workers: the number to wait for; None waits for all requested workers. Raises OptionError if they
    are not ready in time.
    """
    wanted = workers or len(cluster.worker_spec)
    security = getattr(cluster, "security", None)
    keys = {name: getattr(security, field, None) for name, field in CERTIFICATES.items()}
    with (
        Client(cluster) as client,
        dask.config.set({f"distributed.comm.tls.{name}": key for name, key in keys.items()}),
        _lost_workers_replaced(cluster),
    ):
        try:
            client.wait_for_workers(wanted, timeout=wait_s)
        except TimeoutError as error:
            raise OptionError(
                f"not all of {wanted} workers came up in {wait_s / 60:g} minutes; wait longer, or "
                "ask for fewer"
            ) from error
        yield cluster.scheduler_address


@contextmanager
def _lost_workers_replaced(cluster: Any) -> Iterator[None]:
    """In this context, the cluster starts workers again that it has lost: a cancelled job, for example.

    Dask forgets a lost worker after `distributed.deploy.lost-worker-timeout`, and starts none by itself.
    A cluster without a specification of its workers, such as one of Kubernetes, replaces them itself.
    """
    if not hasattr(cluster, "worker_spec"):
        yield
        return

    async def replace_repeatedly() -> None:
        while True:
            await asyncio.sleep(REPLACE_S)
            await replace_lost_workers(cluster)

    repeated = asyncio.run_coroutine_threadsafe(replace_repeatedly(), cluster.loop.asyncio_loop)
    try:
        yield
    finally:
        repeated.cancel()
        _forget_unstarted_workers(cluster)


async def replace_lost_workers(cluster: Any) -> None:
    """Start each worker of a cluster that was lost, or that could not be started before."""
    _forget_unstarted_workers(cluster)
    try:
        await cluster  # starts what is specified and not there
    except (OSError, RuntimeError) as error:
        logger.warning("a worker cannot be started: %s", one_line(error))


def _forget_unstarted_workers(cluster: Any) -> None:
    """Forget workers that could not be started, such as a job that the queue refused.

    Dask would keep them in place of others, and could not close the cluster.
    """
    for name, worker in list(cluster.workers.items()):
        if worker.status is Status.created:
            worker.status = Status.failed
            cluster.workers.pop(name, None)
