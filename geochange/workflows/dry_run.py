"""The dry run: estimates the cost of a run from its plan and from a few seconds of inference."""

from __future__ import annotations

import math
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from geochange.cluster.jobs import JobClient, in_flight, run_bounded, worker_count
from geochange.config import RunOptions
from geochange.grid.tiling import Window
from geochange.inputs.prepared_run import CheckedRun
from geochange.memory import limit_malloc_growth
from geochange.parallelism import cpu_count
from geochange.running.plan.plan_run import plan_run
from geochange.running.plan.run_spec import RunSpec
from geochange.running.tasks import jobs
from geochange.running.work.cluster_cost import (
    WORKERS,
    WRITE_S_PER_MPX,
    ClusterPlan,
    RunVolume,
    cluster_plan,
    volume_of,
)
from geochange.running.work.open_or_resume import space_of_run
from geochange.running.workers import open_workers
from geochange.storage.local import LocalWork
from geochange.storage.work_store import WorkStore

PROBE_SECONDS = 3.0
"""How long the network is timed."""

LARGE_BLOCKS = 1_000
"""A run of so many blocks is also planned for clusters."""


@dataclass(frozen=True)
class DryRun:
    """The work of a run and its cost.

    shape: (rows, cols) of the common area in pixels. tiles, blocks: their numbers.
    memory_bytes: the peak of all local processes. disk_bytes: the peak besides the outputs.
    seconds: from the first block to the last file.
    volume: tasks, requests and bytes. clusters: the cost with one worker after another, each as fast as
    all threads here; with --workers of so many. Empty for a small run in this process.
    """

    shape: tuple[int, int]
    tiles: int
    blocks: int
    threads: int
    device: str
    memory_bytes: int
    disk_bytes: int
    seconds: float
    volume: RunVolume
    clusters: tuple[ClusterPlan, ...] = ()


def estimate_run(checked: CheckedRun) -> DryRun:
    """Estimate the cost of a run without running it. No file is left behind.

    Raises the errors of the run itself, except for too little disk space.
    """
    try:
        return _estimate(checked)
    finally:
        if checked.upload is not None:
            checked.upload.close()


def _estimate(checked: CheckedRun) -> DryRun:
    limit_malloc_growth()
    work, options = plan_run(checked), checked.options
    named = options.workers
    if named > cpu_count():  # they are on other machines: one of them is measured here
        options = options.model_copy(update={"workers": 0})
    with open_workers(options, work) as crew:
        work, tasks = crew.work, in_flight(crew.client)
        scope = work.active_tiles
        tile_s = _tile_seconds(crew.client, work)
        here = max(1, worker_count(crew.client))
        asked = (named,) if named else _cluster_sizes(options, scope.counts[1])
        threads = max(1, tasks // 2 // here)
        space = space_of_run(work, tasks, options.keep_work)
        pixels = work.plan.full_window.pixels
        return DryRun(
            shape=work.plan.shape,
            tiles=scope.counts[0],
            blocks=scope.counts[1],
            threads=tasks // 2,
            device=work.spec.device,
            memory_bytes=crew.budget.peak,
            disk_bytes=space.peak,
            seconds=tile_s * scope.counts[0] + WRITE_S_PER_MPX * pixels / 1e6,
            volume=volume_of(work),
            clusters=tuple(cluster_plan(work, each, tile_s * here, threads) for each in asked),
        )


def _cluster_sizes(options: RunOptions, blocks: int) -> tuple[int, ...]:
    """The numbers of workers to plan for, if the user names none."""
    return WORKERS if options.scheduler is not None or blocks >= LARGE_BLOCKS else ()


def _tile_seconds(client: JobClient, work: RunSpec) -> float:
    """Seconds per tile with all workers busy, measured in the middle of the scene."""
    _work_part(client, work, 1)  # loads the model and warms it up
    alone = _work_part(client, work, 1)
    side = math.isqrt(max(1, int(PROBE_SECONDS / alone)))
    if side == 1:
        return alone
    seconds = 0.0
    while True:
        part = _part(work, side)
        seconds = _work_part(client, work, side)
        whole = part.height >= work.plan.shape[0] and part.width >= work.plan.shape[1]
        if whole or seconds >= PROBE_SECONDS / 2:
            return seconds / replace(work.plan, shape=(part.height, part.width)).tile_count
        # The blocks ran faster in parallel than a single tile suggested.
        side = max(side + 1, int(side * math.sqrt(PROBE_SECONDS / seconds)))


def _work_part(client: JobClient, work: RunSpec, side: int) -> float:
    """Seconds for the middle `side` x `side` tiles, with the same tasks as a run."""
    window = _part(work, side)
    with _temporary_folder(work.folder) as folder:
        part = replace(
            work,
            pair=work.pair.crop(window),
            plan=replace(work.plan, shape=(window.height, window.width)),
            folder=folder,
            area=None,
        )
        part = part.create_stores()
        started = time.perf_counter()
        run_bounded(client, jobs(part), lambda job, answer: None)
        return time.perf_counter() - started


@contextmanager
def _temporary_folder(work: WorkStore) -> Iterator[WorkStore]:
    """A temporary place on the same disk or in the same bucket as the real one."""
    folder = work.folder
    if folder is None:
        part = work.of_run(f"dry-{uuid.uuid4().hex}")
        try:
            yield part
        finally:
            part.discard()
        return
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as scratch:
        yield LocalWork(Path(scratch))


def _part(work: RunSpec, side: int) -> Window:
    """The pixels of the middle `side` x `side` tiles, or of the whole scene if it is smaller."""
    plan, middle = work.plan, work.active_tiles.middle
    length = plan.tile_px + (side - 1) * (plan.tile_px - plan.overlap_px)
    height, width = min(length, plan.shape[0]), min(length, plan.shape[1])
    row = middle.row + (middle.height - height) // 2
    col = middle.col + (middle.width - width) // 2
    row, col = max(0, min(row, plan.shape[0] - height)), max(0, min(col, plan.shape[1] - width))
    return Window(row, col, height, width)
