"""Tiles cover the raster, output blocks partition it, and the tiles of each block are exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tile_plans import each_plan, every_output, plans, wide_overlap

from geochange.grid.tiling import TilePlan, Window, fitting_tile


def every_tile(plan: TilePlan) -> list[tuple[int, int]]:
    return [(row, col) for row in range(plan.tiles[0]) for col in range(plan.tiles[1])]


@each_plan
@given(plans())
def test_tiles_cover_every_pixel_and_the_last_ends_with_the_raster(plan: TilePlan) -> None:
    covered = np.zeros(plan.shape, bool)
    for tile in every_tile(plan):
        window = plan.tile_window(tile)
        assert (window.height, window.width) == (plan.tile_px, plan.tile_px)
        assert (window.row, window.col) >= (0, 0)
        covered[window.within(plan.full_window)] = True
    assert covered.all()
    last = plan.tile_window((plan.tiles[0] - 1, plan.tiles[1] - 1))
    assert last.row_stop == max(plan.shape[0], plan.tile_px)
    assert last.col_stop == max(plan.shape[1], plan.tile_px)
    assert plan.tile_count == len(every_tile(plan))


@each_plan
@given(plans())
def test_neighbours_share_at_least_the_overlap(plan: TilePlan) -> None:
    starts = [plan.rows.start(tile) for tile in range(plan.rows.tiles)]
    steps = np.diff(starts)
    assert (steps > 0).all()
    assert (steps <= plan.tile_px - plan.overlap_px).all()
    assert (steps[:-1] == plan.tile_px - plan.overlap_px).all()


@each_plan
@given(plans())
def test_blocks_hold_each_tile_once_and_their_window_holds_their_tiles(plan: TilePlan) -> None:
    seen = []
    for block in plan.blocks():
        rows, cols = plan.block_tile_ranges(block)
        tiles = [(row, col) for row in rows for col in cols]
        windows = [plan.tile_window(tile) for tile in tiles]
        assert plan.block_window(block) == Window(
            min(w.row for w in windows),
            min(w.col for w in windows),
            max(w.row_stop for w in windows) - min(w.row for w in windows),
            max(w.col_stop for w in windows) - min(w.col for w in windows),
        )
        seen += tiles
    assert sorted(seen) == every_tile(plan)


@each_plan
@given(plans())
def test_output_windows_partition_the_raster(plan: TilePlan) -> None:
    times = np.zeros(plan.shape, int)
    for window in plan.output_windows():
        assert plan.full_window.intersection(window) == window
        times[window.within(plan.full_window)] += 1
    assert (times == 1).all()
    assert len(list(plan.output_windows())) == len(every_output(plan))


@each_plan
@given(plans(), st.data())
def test_touching_tiles_are_those_that_share_a_pixel(plan: TilePlan, data: st.DataObject) -> None:
    row, col = (data.draw(st.integers(0, size - 1)) for size in plan.shape)
    height = data.draw(st.integers(1, plan.shape[0] - row))
    width = data.draw(st.integers(1, plan.shape[1] - col))
    window = Window(row, col, height, width)
    rows, cols = plan.touching_tiles(window)
    expected = [t for t in every_tile(plan) if plan.tile_window(t).intersection(window)]
    assert [(row, col) for row in rows for col in cols] == expected


@pytest.mark.slow
@each_plan
@given(plans())
@wide_overlap
def test_needed_blocks_are_those_whose_tiles_touch(plan: TilePlan) -> None:
    for output in every_output(plan):
        window = plan.output_window(output)
        touching = [t for t in every_tile(plan) if plan.tile_window(t).intersection(window)]
        size = plan.block_tiles
        expected = sorted({(row // size, col // size) for row, col in touching})
        assert list(plan.needed_blocks(output)) == expected


@each_plan
@given(plans())
@wide_overlap
def test_outputs_of_a_block_are_those_that_need_it(plan: TilePlan) -> None:
    for block in plan.blocks():
        expected = [output for output in every_output(plan) if block in plan.needed_blocks(output)]
        assert list(plan.outputs_of(block)) == expected


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (Window(0, 0, 4, 4), Window(2, 3, 9, 9), Window(2, 3, 2, 1)),
        (Window(-3, -3, 4, 4), Window(0, 0, 9, 9), Window(0, 0, 1, 1)),
        (Window(0, 0, 4, 4), Window(4, 0, 4, 4), None),
        (Window(0, 0, 4, 4), Window(0, 9, 4, 4), None),
    ],
)
def test_intersection(one: Window, other: Window, shared: Window | None) -> None:
    assert one.intersection(other) == other.intersection(one) == shared


def test_within_and_moved_say_where_a_window_lies() -> None:
    outer, inner = Window(10, 20, 8, 8), Window(12, 25, 3, 2)
    held = np.zeros((8, 8), int)
    held[inner.within(outer)] = 1
    assert held.sum() == inner.pixels == 6
    assert held[2, 5] == held[4, 6] == 1
    assert inner.moved(-12, -25) == Window(0, 0, 3, 2)


@pytest.mark.parametrize(
    "arguments",
    [((0, 5), 4, 1, 1), ((5, 0), 4, 1, 1), ((5, 5), 0, 0, 1), ((5, 5), 4, 1, 0)],
)
def test_a_plan_without_pixels_is_refused(arguments: Any) -> None:
    with pytest.raises(ValueError, match="a plan needs pixels"):
        TilePlan(*arguments)


@pytest.mark.parametrize("overlap", [-1, 4, 5])
def test_an_overlap_that_does_not_fit_is_refused(overlap: int) -> None:
    with pytest.raises(ValueError, match="does not fit tiles of 4 px"):
        TilePlan((5, 5), 4, overlap)


@pytest.mark.parametrize(
    ("tile", "shape", "fits"),
    [
        (512, (9000, 9000), 512),
        (512, (600, 530), 512),
        (512, (600, 500), 480),
        (512, (256, 256), 256),
        (512, (40, 50), 256),
        (256, (40, 50), 256),
        (128, (40, 50), 128),
    ],
)
def test_a_large_tile_hardly_overhangs_a_small_raster(
    tile: int, shape: tuple[int, int], fits: int
) -> None:
    assert fitting_tile(tile, shape) == fits
