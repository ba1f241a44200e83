"""Dask: connects to a scheduler, or starts worker processes on this machine."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, cast

import dask
from distributed import Client, LocalCluster, Nanny, Worker, as_completed
from distributed.security import Security

from geochange.cluster.failures import WorkerWatch, as_cluster_error
from geochange.cluster.job_queue import Job
from geochange.cluster.jobs import LiveJobs
from geochange.cluster.tls import check_keys, explain_no_connection, is_encrypted
from geochange.cluster.worker_versions import check_versions
from geochange.errors import OptionError
from geochange.interrupt import signals_blocked_for_children

__all__ = ["Client", "ClusterJobs", "connect"]

CONNECT_S = 10
LOCAL_PORT = "127.0.0.1:0"
"""The address of Dask's web server, which cannot be disabled: any free port, local only."""

NO_DASHBOARD: dict[str, list[str]] = {
    f"distributed.{role}.http.routes": [] for role in ("scheduler", "worker")
}
"""The web server serves no pages, because its port is not published."""

DASK_SETTINGS = {
    "distributed.scheduler.worker-ttl": None,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.tick.limit": "1h",
}
"""Dask settings. Bounded submission limits memory, so Dask must not spill or pause workers. A
machine that was asleep is not a dead worker: dead workers close their connection."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Variables that set the number of threads for sums in a worker process. Dask would set one."""

SAFE_PATH_VARIABLE = "PYTHONSAFEPATH"
"""The variable that stops a new Python from searching modules in the current folder first."""

DASK_LOGS = ("distributed", "distributed.client", "tornado.application", "asyncio")
"""The logs of Dask. Its configuration gives the client a level of its own."""


@contextmanager
def connect(
    scheduler: str | None, workers: int, threads: int | None, cores: int = 1
) -> Iterator[Client]:
    """A Dask client for `scheduler`, for `workers` processes, or (0 workers) inside this process.

    threads: per worker. cores: the number of threads for a sum in a worker; the last bits of a
    network's result depend on it.
    Raises OptionError if the scheduler does not answer.
    """
    # Importing distributed enables its log of all connections and of tracebacks. Failures reach this
    # process as exceptions of futures, so the log is not needed.
    for name in DASK_LOGS:
        logging.getLogger(name).setLevel(logging.CRITICAL)
    if scheduler is not None:
        with _client_of(scheduler) as client:
            yield client
        return
    with (
        tempfile.TemporaryDirectory(prefix="geochange-") as scratch,
        _without_current_folder(),
        dask.config.set({**DASK_SETTINGS, **NO_DASHBOARD}),
        dask.config.set(
            {f"distributed.nanny.pre-spawn-environ.{n}": cores for n in THREAD_VARIABLES}
        ),
        _cluster(workers, threads or 1, scratch) as cluster,
        Client(cluster) as client,
    ):
        yield client


@contextmanager
def _without_current_folder() -> Iterator[None]:
    """In this context, new processes do not search modules in the current folder.

    Python puts that folder first on the path of processes that multiprocessing starts, until they
    receive the path of the parent.
    """
    before = os.environ.get(SAFE_PATH_VARIABLE)
    os.environ[SAFE_PATH_VARIABLE] = "1"
    try:
        yield
    finally:
        del os.environ[SAFE_PATH_VARIABLE]
        if before is not None:
            os.environ[SAFE_PATH_VARIABLE] = before


def _client_of(scheduler: str) -> Client:
    check_keys(scheduler)
    try:
        client = Client(scheduler, timeout=CONNECT_S)
    except (OSError, TimeoutError, ValueError, TypeError, AssertionError) as error:
        raise OptionError(f"--scheduler {scheduler}: {explain_no_connection(error)}") from error
    try:
        client.wait_for_workers(1, timeout=CONNECT_S)
    except TimeoutError as error:
        client.close()
        with_keys = " and the keys of the scheduler" if is_encrypted(scheduler) else ""
        raise OptionError(
            f"--scheduler {scheduler}: has no workers; start one with `dask worker {scheduler} "
            f"--host ADDRESS`{with_keys}, where ADDRESS is that of its own machine"
        ) from error
    try:
        check_versions(client, scheduler)
    except OptionError:
        client.close()
        raise
    return client


def _cluster(workers: int, threads: int, scratch: str) -> LocalCluster:
    """Workers in this process, or processes that communicate by TLS with keys of this run.

    A Dask port runs the code that it receives. So the ports are local, and other users of the machine
    have no key.
    """
    own: dict[str, Any] = {"protocol": "inproc://"}
    if workers:
        own = {"protocol": "tls://", "host": "127.0.0.1", "security": Security.temporary()}
    with signals_blocked_for_children():
        return LocalCluster(
            n_workers=max(1, workers),
            threads_per_worker=threads,
            processes=workers > 0,
            dashboard_address=LOCAL_PORT,
            worker_dashboard_address=LOCAL_PORT,
            worker_class=_without_pages(Nanny if workers else Worker),
            scheduler_kwargs={"dashboard": False},
            local_directory=scratch,
            memory_limit=0,
            silence_logs=logging.CRITICAL,
            **own,
        )


def _without_pages(kind: Callable[..., Any]) -> Callable[..., Any]:
    """A worker that imports no Bokeh. LocalCluster asks for pages wherever a port is named.

    Where Bokeh is installed, its import takes each new process seconds.
    """
    return lambda *given, **options: kind(*given, **{**options, "dashboard": False})


class ClusterJobs(LiveJobs):
    """Jobs that wait on a cluster, whose workers may all go away."""

    def __init__(self, client: Client) -> None:
        self._watch = WorkerWatch(client)
        super().__init__(cast(Any, client), as_completed(timeout=self._watch.interval_s))

    def next(self) -> tuple[Job, Any]:
        """Wait for a job that is done or has failed. Raises RunError if all workers stay away."""
        while True:
            try:
                return super().next()
            except TimeoutError:  # of a stream as a whole, so another one follows
                self._watch.check()
                self._stream = as_completed(self.jobs, timeout=self._watch.interval_s)

    def failures(self) -> AbstractContextManager[None]:
        """A context that turns failures of the cluster into RunError."""
        return as_cluster_error()
