"""Failures of a cluster while jobs run: explains them, and notices that all workers are gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass, field

import dask
from dask.utils import parse_timedelta
from distributed import Client
from distributed.comm.core import CommClosedError
from distributed.scheduler import KilledWorker

from geochange.errors import RunError

NO_WORKERS_TIMEOUT = "distributed.scheduler.no-workers-timeout"
"""Dask's setting for the time that jobs wait without any worker."""

NO_WORKERS_S = 600.0
"""The same time if Dask's configuration sets none. Dask would wait for ever."""

NO_WORKER_ERRORS = ("NoWorkerError", "NoValidWorkerError")
"""Errors of a scheduler that has the setting. Older versions of Dask lack the first."""

CONNECTION_LOST = (
    "the connection to the scheduler is lost; start the scheduler again if it has ended"
)


@contextmanager
def as_cluster_error() -> Iterator[None]:
    """Turn a failure of the cluster into a RunError, because the work can resume."""
    try:
        yield
    except KilledWorker as error:
        raise RunError(
            f"{error.allowed_failures + 1} workers ended while they worked on the same block, the "
            f"last one at {error.last_worker.address}; their logs say why: often the memory is too "
            "small (fewer --threads, smaller --tile)"
        ) from error
    except (CancelledError, CommClosedError) as error:
        raise RunError(CONNECTION_LOST) from error
    except Exception as error:
        if type(error).__name__ in NO_WORKER_ERRORS:
            raise RunError(no_workers_text(no_workers_limit_s())) from error
        raise


def no_workers_limit_s() -> float:
    """The longest time in seconds that a run waits without any worker."""
    said = dask.config.get(NO_WORKERS_TIMEOUT, None)
    return NO_WORKERS_S if said is None else float(parse_timedelta(said))


def no_workers_text(seconds: float) -> str:
    """What a run says that has lost all its workers."""
    return (
        f"all workers are gone, and none came up in {seconds / 60:g} minutes; start workers again "
        f"(Dask's setting {NO_WORKERS_TIMEOUT} is this time)"
    )


@dataclass
class WorkerWatch:
    """Notices that a cluster has had no workers for too long."""

    client: Client
    limit_s: float = field(default_factory=no_workers_limit_s)
    _since: float | None = None

    @property
    def interval_s(self) -> float:
        """The time between two checks, in seconds."""
        return min(10.0, self.limit_s / 4)

    def check(self) -> None:
        """Raise RunError if there were no workers since an earlier check, for longer than the limit."""
        now = time.monotonic()
        try:
            some = self.client.nthreads()
        except OSError as error:
            raise RunError(CONNECTION_LOST) from error
        if some:
            self._since = None
        elif self._since is None:
            self._since = now
        elif now - self._since >= self.limit_s:
            raise RunError(no_workers_text(self.limit_s))
