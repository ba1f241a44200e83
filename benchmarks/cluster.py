"""Where one machine ends: speed-up by workers, object storage against a disk, and Dask's scheduler.

python benchmarks/cluster.py speedup [--workers 1 2 4] [--blocks 48] [--seconds 1]
    a run whose model waits for each tile, as for a network; the time of its blocks by worker processes
python benchmarks/cluster.py storage [--size 2048] [--model changeclip-small] [--pairs 3]
    the same run on a disk and in an S3 server on loopback (moto's), in alternating order; the median of
    the ratios of each pair
python benchmarks/cluster.py scheduler [--tasks 1000000] [--alive 64]
    memory and time of Dask's own scheduler and its client, for tasks and a network that cost nothing:
    few tasks alive, as a run submits them
python benchmarks/cluster.py naive [--tasks 100000]
    the same for tasks that are all submitted at once
python benchmarks/cluster.py plan [--size 1000000]
    memory and time of the main process for the whole job list of a raster, in simulated time

Scheduler, client and worker share a process in `scheduler` and `naive`; it prints their memory together.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dask
import numpy as np
import psutil
from affine import Affine
from distributed import Client, Scheduler, Worker
from pyproj import CRS

import geochange
from geochange.cluster.dask_jobs import DASK_LOGS, LOCAL_PORT, NO_DASHBOARD, connect
from geochange.cluster.job_queue import Job
from geochange.cluster.jobs import run_bounded
from geochange.cluster.monitoring.simulated_cluster import SimulatedCluster
from geochange.grid.grid import Grid
from geochange.grid.tiling import TilePlan
from geochange.landscape import make_landscape
from geochange.raster.pictures.image import write_picture
from geochange.running.plan.active_tiles import ActiveTiles
from geochange.vector.tracing.join_across_blocks import RegionJoiner
from geochange.vector.tracing.regions import empty_block

HERE = Path(__file__).parent
SUPPORT = HERE.parent / "tests" / "support"
REPORTS = 10


def resident_mb() -> float:
    return psutil.Process().memory_info().rss / 1e6


def make_pair(folder: Path, size: int) -> tuple[Path, Path]:
    """A landscape of two dates, in internal tiles of 512 px."""
    land = make_landscape(size)
    grid = Grid(CRS.from_epsg(32632), Affine(0.5, 0, 691000, 0, -0.5, 5335000), (size, size))
    write_picture(folder / "before.tif", land.before, grid)
    write_picture(folder / "after.tif", land.after, grid)
    return folder / "before.tif", folder / "after.tif"


# Speed-up


def speedup(given: argparse.Namespace) -> None:
    """Blocks of one tile each, whose model sleeps."""
    os.environ |= {
        "STANDIN_MS": str(given.seconds * 1e3),
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
    }
    tile, side = 96, int(np.ceil(np.sqrt(given.blocks)))
    options = {"tile": tile, "overlap": 0, "block": 1, "batch": 1, "threads": 1}
    options |= {"min_confidence": 0, "report": "none", "skip_checks": True}
    with tempfile.TemporaryDirectory() as name:
        before, after = make_pair(Path(name), tile * side)
        alone = None
        for workers in given.workers:
            seconds = blocks_seconds(before, after, {**options, "workers": workers})
            alone = alone or seconds
            print(
                f"{workers} workers: {1 / seconds:.2f} blocks of {given.seconds:g} s per second, "
                f"speed-up {alone / seconds:.2f}",
                flush=True,
            )


def blocks_seconds(before: Path, after: Path, options: dict[str, Any]) -> float:
    """Seconds a block, from a quarter of the blocks on: until then workers load the model."""
    ends: list[float] = []

    def progress(stage: str, done: int, total: int) -> None:
        if stage == "infer" and done:
            ends.append(time.monotonic())

    out = before.with_name("changes.gpkg")
    geochange.detect(before, after, out, progress, model="standin:Slow", **options)
    first = len(ends) // 4
    return (ends[-1] - ends[first]) / (len(ends) - 1 - first)


# Disk against object storage


@contextmanager
def server() -> Iterator[None]:
    """An S3 server in a process of its own, with its address in the environment."""
    code = (
        "import os, sys, time; sys.path.insert(0, sys.argv[1]); from s3_server import s3_server\n"
        "with s3_server('bench') as s:\n"
        "    print(s.url, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(SUPPORT)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        os.environ |= {"AWS_ENDPOINT_URL": url, "AWS_REGION": "us-east-1"}
        os.environ |= {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
        try:
            yield
        finally:
            process.stdin.close()


def storage(given: argparse.Namespace) -> None:
    import obstore

    from geochange.storage.object_client import client_of

    options = {"model": given.model, "report": "none", "skip_checks": True}
    with tempfile.TemporaryDirectory() as name, server():
        folder = Path(name)
        local = *make_pair(folder, given.size), folder / "changes.gpkg"
        for file in local[:2]:
            obstore.put(client_of("s3://bench/in"), file.name, file)
        bucket = "s3://bench/in/before.tif", "s3://bench/in/after.tif", "s3://bench/out/c.gpkg"

        def run(there: bool) -> tuple[float, float]:
            work = {"work": "s3://bench/work"} if there else {}
            began, cpu = time.monotonic(), time.process_time()
            geochange.detect(*(bucket if there else local), **work, **options)
            return time.monotonic() - began, time.process_time() - cpu

        run(False), run(True)  # models are built, libraries are loaded
        ratios = []
        for number in range(given.pairs):
            order = (False, True) if number % 2 == 0 else (True, False)
            found = {there: run(there) for there in order}
            ratios.append(tuple(found[True][i] / found[False][i] for i in (0, 1)))
            print(
                f"disk {found[False][0]:.1f} s ({found[False][1]:.1f} s of CPU), bucket "
                f"{found[True][0]:.1f} s ({found[True][1]:.1f} s of CPU), ratio {ratios[-1][0]:.2f}",
                flush=True,
            )
        wall, cpu = (statistics.median(ratio) for ratio in zip(*ratios, strict=True))
        print(f"{given.model}, {given.size} px: median ratio {wall:.2f}, of CPU time {cpu:.2f}")


# Dask's scheduler


def nothing(number: int) -> int:
    return number


async def answer(number: int) -> int:
    """A task that costs nothing: it runs in the loop of its worker, without a thread."""
    return number


def scheduler(given: argparse.Namespace) -> None:
    for log in DASK_LOGS:
        logging.getLogger(log).setLevel(logging.CRITICAL)
    with dask.config.set({"distributed.worker.profile.enabled": False, **NO_DASHBOARD}):
        asyncio.run(submit_windowed(given.tasks, given.alive))


async def submit_windowed(tasks: int, alive: int) -> None:
    """As a run does: a task is submitted when another one is done, two of each thread at once."""
    own: dict[str, Any] = {"dashboard": False, "dashboard_address": LOCAL_PORT}
    async with (
        Scheduler(protocol="inproc://", **own) as dask_scheduler,
        Worker(dask_scheduler.address, nthreads=alive // 2, **own),
        Client(dask_scheduler.address, asynchronous=True) as client,
    ):
        before, cpu, numbers = resident_mb(), time.process_time(), iter(range(1, tasks + 1))
        most = done = 0

        async def lane() -> None:
            nonlocal most, done
            for number in numbers:
                future = client.submit(answer, number, pure=False)
                await future
                future.release()
                done, most = done + 1, max(most, len(dask_scheduler.tasks))
                if done % max(1, tasks // given_reports(tasks)) == 0:
                    each = (time.process_time() - cpu) / done * 1e6
                    print(
                        f"{done:,} tasks: at most {most} alive, {resident_mb() - before:+.0f} MB, "
                        f"{each:.0f} us of CPU each",
                        flush=True,
                    )

        await asyncio.gather(*(lane() for _ in range(alive)))


def given_reports(tasks: int) -> int:
    """Every 10,000 tasks, or ten times."""
    return max(REPORTS, tasks // 10_000)


def naive(given: argparse.Namespace) -> None:
    with connect(None, 0, 1) as client:
        before, cpu = resident_mb(), time.process_time()
        first = client.submit(time.sleep, 3600, pure=False)  # it keeps the only thread
        futures = client.map(nothing, range(given.tasks), pure=False)
        scheduler_tasks = client.cluster.scheduler.tasks
        while len(scheduler_tasks) < given.tasks:
            time.sleep(0.5)
        print(
            f"{given.tasks:,} tasks at once: {resident_mb() - before:+.0f} MB, "
            f"{(resident_mb() - before) / given.tasks * 1e3:.2f} kB each, "
            f"{(time.process_time() - cpu) / given.tasks * 1e6:.0f} us of CPU each until all wait",
            flush=True,
        )
        del first, futures
        os._exit(0)  # to forget them takes as long


def plan(given: argparse.Namespace) -> None:
    """The real job list, with the joiner of regions, in simulated time on 2,000 threads."""
    from types import SimpleNamespace

    from geochange.running.tasks import jobs

    whole = TilePlan((given.size, given.size), 512, 64, 4)
    work: Any = SimpleNamespace(plan=whole, active_tiles=ActiveTiles(whole))
    joiner, done = RegionJoiner(whole.shape), 0
    before, cpu = resident_mb(), time.process_time()
    every = max(1, whole.outputs[0] * whole.outputs[1] // REPORTS)

    def take(job: Job, answer: Any) -> None:
        nonlocal done
        if job.key[0] == "finish":
            joiner.add(empty_block(whole.output_window(job.arguments[1])))
            done += 1
            if done % every == 0:
                each = (time.process_time() - cpu) / done * 1e6
                said = f"{done:,} output blocks: {resident_mb() - before:+.0f} MB of main process"
                print(f"{said}, {each:.0f} us of CPU each", flush=True)

    cluster = SimulatedCluster(2000, lambda _: 1.0, 0.0)
    cluster.calls = Forgetful()
    run_bounded(cluster, jobs(work), take)


class Forgetful(list[Any]):
    """A list that only counts: a simulation keeps its calls to measure how busy the threads are."""

    count_of = 0

    def append(self, _: Any) -> None:
        self.count_of += 1

    def __len__(self) -> int:
        return self.count_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=["speedup", "storage", "scheduler", "naive", "plan"])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--blocks", type=int, default=48)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--size", type=int)
    parser.add_argument("--model", default="changeclip-small")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--tasks", type=int)
    parser.add_argument("--alive", type=int, default=64)
    given = parser.parse_args()
    given.size = given.size or {"storage": 2048, "plan": 1_000_000}.get(given.part)
    given.tasks = given.tasks or {"scheduler": 1_000_000, "naive": 100_000}.get(given.part)
    globals()[given.part](given)


if __name__ == "__main__":
    main()
