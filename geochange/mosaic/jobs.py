"""Jobs: runs a job list of any length, with few jobs submitted at once, in threads or by Dask."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from geochange.mosaic.local_threads import LocalThreads
from geochange.parallelism import cpu_count

READ_AHEAD = 64
"""The largest number of waiting jobs. With more, reading of the list pauses."""


@dataclass(frozen=True)
class Job:
    """A call for a worker, and the keys of earlier jobs that must be done before."""

    key: Hashable
    function: Callable[..., Any]
    arguments: tuple[Any, ...]
    after: tuple[Hashable, ...] = ()


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
    from geochange.mosaic.dask_jobs import connect

    with connect(scheduler, workers, threads or threads_of(workers), cores) as client:
        yield client


def in_flight(client: JobClient) -> int:
    """The number of jobs that are submitted at once: one running and one waiting per thread."""
    threads: int = sum(client.nthreads().values())
    return 2 * max(1, threads)


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
    waiting: list[Job] = []
    finished: set[Hashable] = set()
    lost: set[Hashable] = set()
    pending = (job for job in jobs if not _skips(job, lost))
    live: dict[Any, Job] = {}
    stream = _completed(client)
    limit = in_flight(client)
    try:
        while True:
            waiting[:] = [job for job in waiting if not _skips(job, lost)]
            for job in _startable(waiting, pending, finished, limit - len(live)):
                future = client.submit(job.function, *job.arguments, pure=False)
                live[future] = job
                stream.add(future)
            if not live:
                if waiting:
                    raise RuntimeError(
                        f"jobs wait for a job that was never listed: {waiting[0].key}"
                    )
                return
            future = next(stream)
            job = live.pop(future)
            if (error := future.exception()) is not None and tolerates(error):
                lost.add(job.key)
            else:
                done(job, future.result())
                finished.add(job.key)
    finally:
        client.cancel(list(live), force=True)


def _completed(client: JobClient) -> Any:
    """An iterator to which futures are added, over those that are done."""
    stream = getattr(client, "stream", None)
    if stream is not None:
        return stream()
    from geochange.mosaic.dask_jobs import as_completed

    return as_completed()


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
