"""Every output block is one job, directly after the blocks of tiles that it needs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import given
from tile_plans import each_plan, every_output, plans, wide_overlap

from geochange.grid.tiling import TilePlan
from geochange.running.plan.active_tiles import ActiveTiles
from geochange.running.plan.run_spec import RunSpec
from geochange.running.tasks import jobs


@each_plan
@given(plans())
@wide_overlap
def test_every_output_is_a_job_once_and_behind_all_it_needs(plan: TilePlan) -> None:
    listed = list(jobs(cast(RunSpec, SimpleNamespace(plan=plan, active_tiles=ActiveTiles(plan)))))
    place = {job.key: i for i, job in enumerate(listed)}
    assert len(place) == len(listed)
    blocks = {("infer", block) for block in plan.blocks()}
    outputs = {("finish", output) for output in every_output(plan)}
    assert set(place) == blocks | outputs
    for job in listed:
        kind, index = cast(tuple[str, Any], job.key)
        needed = plan.needed_blocks(index) if kind == "finish" else ()
        assert job.after == tuple(("infer", block) for block in needed)
        assert all(place[key] < place[job.key] for key in job.after)


def test_an_output_waits_no_longer_than_it_must() -> None:
    plan = TilePlan((100, 100), 16, 4, 2)
    listed = [
        job.key
        for job in jobs(cast(RunSpec, SimpleNamespace(plan=plan, active_tiles=ActiveTiles(plan))))
    ]
    first_output = listed.index(("finish", (0, 0)))
    assert first_output < len(list(plan.blocks()))
