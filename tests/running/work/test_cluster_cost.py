"""The cost on a cluster: counted from the plan, and simulated with the job list of the run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from geochange.grid.tiling import TilePlan
from geochange.running.plan.active_tiles import ActiveTiles
from geochange.running.plan.run_spec import RunSpec
from geochange.running.work.cluster_cost import cluster_plan, volume_of

DATE = SimpleNamespace(bands=(1, 2, 3), dtype=np.dtype(np.uint8))


def run_of(plan: TilePlan, **given: Any) -> RunSpec:
    values = {"stores_land": False, "picture_px": None, "classes": ()} | given
    pair = SimpleNamespace(before=DATE, after=DATE)
    return cast(
        RunSpec, SimpleNamespace(plan=plan, active_tiles=ActiveTiles(plan), pair=pair, **values)
    )


def test_bytes_and_requests_are_those_of_the_plan() -> None:
    """Counted one by one: every block, every output block, every chunk."""
    plan = TilePlan((700, 900), 64, 16, 2)
    found = volume_of(run_of(plan))
    blocks = list(plan.blocks())
    outputs = [(row, col) for row in range(plan.outputs[0]) for col in range(plan.outputs[1])]
    chunks = 0
    for output in outputs:
        rows, cols = plan.touching_tiles(plan.output_window(output))
        chunks += len(rows) * len({col // plan.block_tiles for col in cols})
    chunk, pixels = 2 * 64 * 64 * 2, 700 * 900
    assert found.tasks == len(blocks) + len(outputs)
    assert found.input_bytes == 2 * 3 * sum(plan.block_window(block).pixels for block in blocks)
    assert found.work_read_bytes == chunks * chunk + pixels
    assert found.work_written_bytes == plan.tile_count * 64 * 64 * 2 + pixels
    assert found.egress_bytes == found.input_bytes + found.work_read_bytes
    logits = sum(len(plan.block_tile_ranges(block)[0]) for block in blocks)
    assert found.puts == logits + len(blocks) + len(outputs)
    assert found.gets == round(chunks + len(outputs) + len(blocks) + 18 * pixels / 1e6)
    assert volume_of(run_of(plan, stores_land=True)).puts == found.puts + logits


def test_a_run_of_one_block_takes_what_its_tiles_take() -> None:
    work = run_of(TilePlan((200, 200), 64, 16, 8))
    assert work.active_tiles.counts[1] == 1
    found = cluster_plan(work, 1, 0.05, 1)
    block_s = 0.05 * 64
    outputs = work.plan.outputs[0] * work.plan.outputs[1]
    written_s = 0.015 * 200 * 200 / 1e6
    wanted = block_s * (1 + 0.1 * outputs) + written_s
    assert found.seconds == pytest.approx(wanted, rel=0.05)


@pytest.mark.slow
def test_a_million_pixels_along_each_side_are_planned_for_a_thousand_workers() -> None:
    work = run_of(TilePlan((1_000_000, 1_000_000), 512, 64, 4))
    one, many = (cluster_plan(work, workers, 0.05, 2) for workers in (1, 1000))
    assert (one.tasks_alive, many.tasks_alive) == (4, 4000)
    assert one.limit == "workers" and many.limit == "writing"
    tiles = work.plan.tile_count
    assert one.seconds == pytest.approx(tiles * 0.05 * 1.1 + 0.015e6, rel=0.05)
    assert many.seconds < one.seconds / 10
    assert many.scheduler_bytes < 500e6
