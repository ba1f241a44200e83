"""Jobs: runs a job list of any length, with few jobs submitted at once, in threads or by Dask."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any, Protocol, cast

from geochange.cluster.job_queue import Job, JobQueue
from geochange.cluster.local_threads import LocalThreads
from geochange.parallelism import cpu_count

READ_AHEAD = 64
"""The largest number of waiting jobs, or as many as are submitted. With more, reading of the list pauses:
each block that is inferred has an output block behind it that waits.
"""


class JobClient(Protocol):
    """Runs calls in other threads or processes: `LocalThreads`, or a Client of Dask."""

    def nthreads(self) -> Mapping[str, int]:
        """The number of threads of each worker, by address."""
        ...

    def submit(self, function: Callable[..., Any], *arguments: Any, **settings: Any) -> Any:
        """Submit a call. Returns its future."""
        ...

    def cancel(self, futures: list[Any], **settings: Any) -> None:
        """Cancel calls that are not yet running."""
        ...


def threads_of(workers: int) -> int:
    """Threads per worker, so that workers share the cores of the machine. 0 workers is this process."""
    return max(1, cpu_count() // max(1, workers))


@contextmanager
def open_client(
    scheduler: str | None, workers: int, threads: int | None, cores: int
) -> Iterator[Any]:
    """Threads of this process if there are no workers, else a Dask client; see `dask_jobs.connect`."""
    if scheduler is None and workers == 0:
        with LocalThreads(threads or threads_of(0)) as here:
            yield here
        return
    # Imported where it is needed, because it imports Dask, which takes half a second.
    from geochange.cluster.dask_jobs import connect

    with connect(scheduler, workers, threads or threads_of(workers), cores) as client:
        yield client


def in_flight(client: JobClient) -> int:
    """The number of jobs that are submitted at once: one running and one waiting per thread."""
    threads: int = sum(client.nthreads().values())
    return 2 * max(1, threads)


@contextmanager
def reported_by_dask(client: Any, page: Path | None) -> Iterator[None]:
    """Write Dask's report on the work of this context; see `performance_page`. None: no report."""
    if page is None:
        yield
        return
    from geochange.cluster.monitoring.performance_page import performance_page  # imports Dask

    with performance_page(client, page):
        yield


def worker_count(client: JobClient) -> int:
    """The number of workers; 0 if threads of this process do the work."""
    return 0 if hasattr(client, "stream") else len(client.nthreads())


def run_bounded(
    client: JobClient,
    jobs: Iterable[Job],
    done: Callable[[Job, Any], None],
    tolerates: Callable[[BaseException], bool] = lambda error: False,
) -> None:
    """Run jobs, at most `in_flight` at once. `done` gets each result when it arrives.

    Jobs that wait for others are submitted when these are done. The first failure cancels all jobs and
    is raised, unless `tolerates` accepts it. Then all jobs that wait for the failed one are skipped.
    """
    live = _live_jobs(client)
    limit = in_flight(client)
    queue = JobQueue(jobs, max(READ_AHEAD, limit))
    try:
        with live.failures():
            while True:
                while len(live.jobs) < limit and (ready := queue.next()) is not None:
                    live.submit(ready)
                if not live.jobs:
                    if queue.waiting:
                        raise RuntimeError(
                            f"a job waits for one that was never listed: {queue.blocked_key()}"
                        )
                    return
                job, future = live.next()
                if (error := future.exception()) is not None and tolerates(error):
                    queue.lose(job.key)
                else:
                    done(job, future.result())
                    queue.finish(job.key)
    finally:
        live.cancel()


class LiveJobs:
    """The jobs that are submitted and not done, by future.

    stream: an iterator over futures as they are done, with a method to add one.
    """

    def __init__(self, client: JobClient, stream: Any) -> None:
        self.jobs: dict[Any, Job] = {}
        self._client, self._stream = client, stream

    def submit(self, job: Job) -> None:
        """Submit a job."""
        future = self._client.submit(job.function, *job.arguments, pure=False)
        self.jobs[future] = job
        self._stream.add(future)

    def next(self) -> tuple[Job, Any]:
        """Wait for a job that is done or has failed. Returns it with its future."""
        future = next(self._stream)
        return self.jobs.pop(future), future

    def cancel(self) -> None:
        """Cancel all jobs that are not done."""
        self._client.cancel(list(self.jobs), force=True)

    def failures(self) -> AbstractContextManager[None]:
        """A context for the wait. Threads of this process do not fail as a cluster does."""
        return nullcontext()


def _live_jobs(client: JobClient) -> LiveJobs:
    if (stream := getattr(client, "stream", None)) is not None:  # threads of this process
        return LiveJobs(client, stream())
    from geochange.cluster.dask_jobs import Client, ClusterJobs  # imports Dask

    return ClusterJobs(cast(Client, client))
