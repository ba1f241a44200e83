"""A Dask scheduler in this process, and workers in processes that fork from one with torch."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from distributed import Client, LocalCluster, Worker
from forked import server


def _work(address: str, folder: Path, environment: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    tempfile.tempdir = None

    async def work() -> None:
        async with Worker(
            address, host="127.0.0.1", nthreads=1, local_directory=str(folder)
        ) as worker:
            await worker.finished()

    asyncio.run(work())


@contextmanager
def scheduler_with_workers(folder: Path, count: int) -> Iterator[str]:
    """The address of a scheduler whose workers have a home and a temporary folder each."""
    with LocalCluster(
        n_workers=0, processes=False, protocol="tcp://", host="127.0.0.1", dashboard_address=None
    ) as cluster:
        processes = []
        for i in range(count):
            home = folder / f"worker{i}"
            home.mkdir()
            environment = {**os.environ, "TMPDIR": str(home), "HOME": str(home)}
            given = (cluster.scheduler_address, home, environment)
            processes.append(server().Process(target=_work, args=given, daemon=True))
            processes[-1].start()
        try:
            with Client(cluster) as client:
                client.wait_for_workers(count, timeout=120)
            yield cluster.scheduler_address
        finally:
            for process in processes:
                process.kill()
                process.join()
