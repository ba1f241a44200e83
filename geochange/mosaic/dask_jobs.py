"""Dask jobs: runs a job list of any length, with few jobs submitted to Dask at once."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import Client, Future, LocalCluster, as_completed
from distributed.security import Security
from distributed.system import MEMORY_LIMIT

from geochange.errors import OptionError
from geochange.interrupt import signals_blocked_for_children
from geochange.mosaic.cluster_failures import WorkerWatch, as_cluster_error
from geochange.mosaic.cluster_tls import check_keys, explain_no_connection, is_encrypted
from geochange.mosaic.worker_versions import check_versions

__all__ = ["Client", "Job", "connect", "run_bounded"]

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

READ_AHEAD = 64
"""The largest number of waiting jobs. With more, reading of the list pauses."""


@dataclass(frozen=True)
class Job:
    """A call for a worker, and the keys of earlier jobs that must be done before."""

    key: Hashable
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    after: tuple[Hashable, ...] = ()


def threads_of(workers: int) -> int:
    """Threads per worker, so that workers share the cores of the machine. 0 workers is this process."""
    return max(1, CPU_COUNT // max(1, workers))


def machine_bytes() -> int:
    """The memory of this machine, or of the container in which it runs."""
    return int(MEMORY_LIMIT)


@contextmanager
def connect(
    scheduler: str | None, workers: int, threads: int | None, cores: int = CPU_COUNT
) -> Iterator[Client]:
    """A Dask client for `scheduler`, for `workers` processes, or (0 workers) inside this process.

    threads: per worker; None divides the cores among the workers. cores: the number of threads for a
    sum in a worker; the last bits of a network's result depend on it.
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
    threads = threads or threads_of(workers)
    with (
        tempfile.TemporaryDirectory(prefix="geochange-") as scratch,
        _without_current_folder(),
        dask.config.set({**DASK_SETTINGS, **NO_DASHBOARD}),
        dask.config.set(
            {f"distributed.nanny.pre-spawn-environ.{n}": cores for n in THREAD_VARIABLES}
        ),
        _cluster(workers, threads, scratch) as cluster,
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
            scheduler_kwargs={"dashboard": False},
            local_directory=scratch,
            memory_limit=0,
            silence_logs=logging.CRITICAL,
            **own,
        )


def in_flight(client: Client) -> int:
    """The number of jobs that are submitted at once: one running and one waiting per thread."""
    threads: int = sum(client.nthreads().values())
    return 2 * max(1, threads)


def run_bounded(
    client: Client,
    jobs: Iterable[Job],
    done: Callable[[Job, Any], None],
    tolerates: Callable[[BaseException], bool] = lambda error: False,
) -> None:
    """Run jobs, at most `in_flight` at once. `done` gets each result when it arrives.

    Jobs that wait for others are submitted when these are done. The first failure cancels all jobs and
    is raised, unless `tolerates` accepts it. Then all jobs that wait for the failed one are skipped.
    """
    waiting: list[Job] = []
    finished: set[Hashable] = set()
    lost: set[Hashable] = set()
    pending = (job for job in jobs if not _skips(job, lost))
    live = _LiveJobs(client)
    limit = in_flight(client)
    try:
        with as_cluster_error():
            while True:
                waiting[:] = [job for job in waiting if not _skips(job, lost)]
                for job in _startable(waiting, pending, finished, limit - len(live.jobs)):
                    live.submit(job)
                if not live.jobs:
                    if waiting:
                        raise RuntimeError(
                            f"jobs wait for a job that was never listed: {waiting[0].key}"
                        )
                    return
                job, future = live.next()
                if (error := future.exception()) is not None and tolerates(error):
                    lost.add(job.key)
                else:
                    done(job, future.result())
                    finished.add(job.key)
    finally:
        live.cancel()


class _LiveJobs:
    """The jobs that are submitted and not done, by future."""

    def __init__(self, client: Client) -> None:
        self.jobs: dict[Future[Any], Job] = {}
        self._client = client
        self._watch = WorkerWatch(client)
        self._stream = as_completed(timeout=self._watch.interval_s)

    def submit(self, job: Job) -> None:
        """Submit a job to a worker."""
        future = self._client.submit(job.function, *job.arguments, pure=False)
        self.jobs[future] = job
        self._stream.add(future)

    def next(self) -> tuple[Job, Future[Any]]:
        """Wait for a job that is done or has failed. Raises RunError if all workers stay away."""
        while True:
            try:
                future = next(self._stream)
                return self.jobs.pop(future), future
            except TimeoutError:  # of a stream as a whole, so another one follows
                self._watch.check()
                self._stream = as_completed(self.jobs, timeout=self._watch.interval_s)

    def cancel(self) -> None:
        """Cancel all jobs that are not done."""
        self._client.cancel(list(self.jobs), force=True)


def _skips(job: Job, skipped: set[Hashable]) -> bool:
    """Whether a job waits for a skipped job. Then it is skipped, too."""
    if skipped.isdisjoint(job.after):
        return False
    skipped.add(job.key)
    return True


def _startable(
    waiting: list[Job], pending: Iterator[Job], finished: set[Hashable], room: int
) -> list[Job]:
    """Up to `room` jobs that can start: first those that waited, then new ones from the list.

    Reading ahead stops at READ_AHEAD waiting jobs, so the list may have any length.
    """
    ready: list[Job] = []
    for job in list(waiting):
        if len(ready) < room and finished.issuperset(job.after):
            waiting.remove(job)
            ready.append(job)
    while len(ready) < room and len(waiting) < READ_AHEAD:
        job_or_none = next(pending, None)
        if job_or_none is None:
            break
        if finished.issuperset(job_or_none.after):
            ready.append(job_or_none)
        else:
            waiting.append(job_or_none)
    return ready
