"""Every output block is a job once, behind the blocks of tiles it needs and no later."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from hypothesis import example, given, settings
from hypothesis import strategies as st

from geochange.geo.tiling import TilePlan
from geochange.tasks import Work, jobs


@st.composite
def plans(draw: st.DrawFn) -> TilePlan:
    """From 1 x 1 pixel to three tiles and one; all overlaps and blocks that options allow."""
    tile = draw(st.integers(1, 8))
    overlap = draw(st.integers(0, tile * 7 // 8)) if tile > 1 else 0
    sizes = st.integers(1, 3 * tile + 1)
    return TilePlan((draw(sizes), draw(sizes)), tile, overlap, draw(st.integers(1, 4)))


def every_output(plan: TilePlan) -> list[tuple[int, int]]:
    return [(row, col) for row in range(plan.outputs[0]) for col in range(plan.outputs[1])]


each_plan = settings(max_examples=40, deadline=None)
wide_overlap = example(TilePlan((9, 9), 8, 7, 1))


@each_plan
@given(plans())
@wide_overlap
def test_every_output_is_a_job_once_and_behind_all_it_needs(plan: TilePlan) -> None:
    listed = list(jobs(cast(Work, SimpleNamespace(plan=plan))))
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
    listed = [job.key for job in jobs(cast(Work, SimpleNamespace(plan=plan)))]
    first_output = listed.index(("finish", (0, 0)))
    assert first_output < len(list(plan.blocks()))
