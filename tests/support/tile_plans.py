"""Plans of all kinds that options allow, for property tests."""

from __future__ import annotations

from hypothesis import example, settings
from hypothesis import strategies as st

from geochange.grid.tiling import TilePlan


@st.composite
def plans(draw: st.DrawFn) -> TilePlan:
    """From 1 x 1 pixel to three tiles plus one pixel, with all overlaps and blocks."""
    tile = draw(st.integers(1, 8))
    overlap = draw(st.integers(0, tile * 7 // 8)) if tile > 1 else 0
    sizes = st.integers(1, 3 * tile + 1)
    return TilePlan((draw(sizes), draw(sizes)), tile, overlap, draw(st.integers(1, 4)))


def every_output(plan: TilePlan) -> list[tuple[int, int]]:
    return [(row, col) for row in range(plan.outputs[0]) for col in range(plan.outputs[1])]


each_plan = settings(max_examples=40, deadline=None)
wide_overlap = example(TilePlan((9, 9), 8, 7, 1))
