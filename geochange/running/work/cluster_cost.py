"""The cost of a run on a cluster: tasks, memory of the scheduler, requests, bytes, storage, hours.

The numbers of tasks and chunks follow from the plan. Times come from a simulation with the job list of
the run, the measured speed of this machine, and constants that `benchmarks/cluster.py` measures with
Dask's own scheduler and a network that costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from geochange.cluster.monitoring.simulated_cluster import (
    SimulatedCluster,
    Simulation,
    simulate,
)
from geochange.grid.tiling import Axis
from geochange.running.plan.disk_space import LAND_BYTES, LOGIT_BYTES, SCORE_BYTES, disk_space_of
from geochange.running.plan.run_spec import RunSpec
from geochange.running.tasks import infer_block, jobs

WORKERS = (1, 10, 100, 1000)
"""The numbers of workers of the table, if the user names none."""

SCHEDULER_S = 0.002
"""Seconds of the scheduler and of the client for a task."""

SCHEDULER_BYTES, TASK_BYTES = 350e6, 3_000
"""Memory of a scheduler without tasks, and for each task that is alive."""

STITCH_SHARE = 0.1
"""The time of an output block, as a share of that of a block of tiles."""

WRITE_S_PER_MPX = 0.015
"""The time to write raster and polygons after the last block."""

INPUT_GETS_PER_MPX = 18
"""GET requests for a pair of 8-bit RGB with internal tiles of 512 px."""

SIMULATED_TASKS = 20_000
"""The simulation ends after so many tasks, or after SIMULATED_ROUNDS of each thread."""

SIMULATED_ROUNDS = 6


@dataclass(frozen=True)
class RunVolume:
    """What a run does, whatever its workers.

    tasks: blocks of tiles and output blocks. gets, puts, heads: requests, if inputs and work are in
    object storage. input_bytes: pixels that are read, uncompressed. work_read_bytes,
    work_written_bytes: of the work of the run. egress_bytes: all that leaves the storage, at most,
    because the inputs may be compressed.
    """

    tasks: int
    gets: int
    puts: int
    heads: int
    input_bytes: int
    work_read_bytes: int
    work_written_bytes: int
    egress_bytes: int


@dataclass(frozen=True)
class ClusterPlan:
    """What a run takes with a number of workers.

    tasks_alive: at once. scheduler_bytes: the memory of the scheduler. storage_bytes: the peak of the
    work. seconds: from the first block to the last file. limit: what the time is bound by: workers,
    scheduler or writing.
    """

    workers: int
    tasks_alive: int
    scheduler_bytes: int
    storage_bytes: int
    seconds: float
    limit: str


def volume_of(work: RunSpec) -> RunVolume:
    """The volume of a run. With an area of interest, it is its share of the whole plan."""
    plan, share = work.plan, work.active_tiles.share
    blocks, outputs = plan.rows.blocks * plan.cols.blocks, plan.outputs[0] * plan.outputs[1]
    # A chunk holds a row of tiles of a block: logits, and land classes if they are stored.
    written = plan.tiles[0] * plan.cols.blocks
    gathered = sum(_tiles_read(plan.rows)) * sum(_blocks_read(plan.cols))
    kinds = 1 + work.stores_land
    pictures = 0 if work.picture_px is None else 2
    scores = int(bool(work.classes))
    puts = written * kinds + blocks * (1 + pictures + scores) + outputs
    # The raster reads each output block again, and the end of a run each record.
    gets = gathered * kinds + outputs + blocks * (1 + pictures + scores)
    heads = 2 * blocks + outputs
    tile = plan.tile_px**2 * (LOGIT_BYTES + LAND_BYTES * work.stores_land)
    chunk = tile * min(plan.block_tiles, plan.tiles[1])
    named = plan.tile_count * 2 * len(work.classes) * SCORE_BYTES
    pixels = plan.full_window.pixels
    dates = work.pair.before, work.pair.after
    pixel = sum(len(date.bands) * date.dtype.itemsize for date in dates)
    read = _pixels_read(plan.rows) * _pixels_read(plan.cols)

    def part(number: float) -> int:
        return round(number * share)

    return RunVolume(
        tasks=part(blocks + outputs),
        gets=part(gets + INPUT_GETS_PER_MPX * pixels / 1e6),
        puts=part(puts),
        heads=part(heads),
        input_bytes=part(read * pixel),
        work_read_bytes=part(gathered * chunk + named + pixels),
        work_written_bytes=part(plan.tile_count * tile + named + pixels),
        egress_bytes=part(read * pixel + gathered * chunk + named + pixels),
    )


def cluster_plan(work: RunSpec, workers: int, worker_tile_s: float, threads: int) -> ClusterPlan:
    """The cost with a number of workers. worker_tile_s: seconds a tile of a worker, with all its threads.

    threads: of each worker.
    """
    volume, plan = volume_of(work), work.plan
    tiles = work.active_tiles.counts[0]
    block_s = worker_tile_s * threads * plan.block_tiles**2
    found = _simulated(work, workers * threads, block_s)
    working = found.seconds  # of all tasks, or else of the first ones, from which the rest follows
    if found.tasks >= _simulated_tasks(workers * threads):
        working = tiles * worker_tile_s / workers * (1 + STITCH_SHARE) / max(found.busy, 1e-9)
    limits = {
        "workers": working,
        "scheduler": volume.tasks * SCHEDULER_S,
        "writing": WRITE_S_PER_MPX * work.active_tiles.pixels / 1e6,
    }
    # The raster is written while blocks are worked, and copied into its final form afterwards.
    seconds = max(limits["workers"], limits["scheduler"]) + limits["writing"]
    alive = min(volume.tasks, found.most_alive)
    share, classes = work.active_tiles.share, len(work.classes)
    space = disk_space_of(plan, classes, alive, False, share, work.stores_land)
    return ClusterPlan(
        workers=workers,
        tasks_alive=alive,
        scheduler_bytes=round(SCHEDULER_BYTES + alive * TASK_BYTES),
        storage_bytes=space.infer,
        seconds=seconds,
        limit=max(limits, key=lambda name: limits[name]),
    )


def _simulated(work: RunSpec, threads: int, block_s: float) -> Simulation:
    """The first tasks of a run in simulated time."""

    def seconds_of(function: Callable[..., Any]) -> float:
        return block_s if function is infer_block else block_s * STITCH_SHARE

    first = islice(jobs(work), _simulated_tasks(threads))
    return simulate(SimulatedCluster(threads, seconds_of, SCHEDULER_S), first)


def _simulated_tasks(threads: int) -> int:
    """The largest number of tasks that are simulated."""
    return max(SIMULATED_TASKS, SIMULATED_ROUNDS * threads)


def _tiles_read(axis: Axis) -> list[int]:
    """For each output block along an axis: the number of tiles that it gathers from."""
    return [len(axis.touching(*axis.output_span(output))) for output in range(axis.outputs)]


def _blocks_read(axis: Axis) -> list[int]:
    """For each output block along an axis: the number of blocks of tiles that it gathers from."""
    spans = [axis.touching(*axis.output_span(output)) for output in range(axis.outputs)]
    return [s[-1] // axis.block_tiles - s[0] // axis.block_tiles + 1 for s in spans]


def _pixels_read(axis: Axis) -> int:
    """The length of all blocks of tiles along an axis, with what neighbours share."""
    ranges = (axis.block_range(block) for block in range(axis.blocks))
    return sum(axis.start(tiles[-1]) + axis.tile_px - axis.start(tiles[0]) for tiles in ranges)
