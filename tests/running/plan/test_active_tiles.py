"""Tiles outside an area are never inferred, and all tiles that its pixels need are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from tile_plans import each_plan, every_output, plans

from geochange.errors import RunError
from geochange.grid.tiling import TilePlan
from geochange.running.plan.active_tiles import ActiveTiles, area_of, register_area, store_area
from geochange.storage.local import LocalWork
from geochange.vector import aoi as areas

corners = st.tuples(st.floats(0, 24), st.floats(0, 24), st.floats(0.5, 9), st.floats(0.5, 9))


def some_area(boxes: list[tuple[float, float, float, float]]) -> areas.AreaOfInterest:
    return areas.AreaOfInterest(
        np.array([shapely.box(x, y, x + w, y + h) for x, y, w, h in boxes], object)
    )


@each_plan
@given(plans())
def test_without_an_area_it_is_the_plan(plan: TilePlan) -> None:
    scope = ActiveTiles(plan)
    assert scope.counts == (plan.tile_count, plan.rows.blocks * plan.cols.blocks)
    assert list(scope.outputs()) == every_output(plan)
    assert scope.pixels == plan.full_window.pixels
    assert scope.share == 1
    for block in plan.blocks():
        ((window, tiles),) = scope.runs_of(block)
        assert window == plan.block_window(block)
        assert tuple(tiles) == scope.tiles_of(block)
        assert scope.outputs_of(block) == plan.outputs_of(block)


@pytest.mark.slow
@each_plan
@given(plans(), st.lists(corners, min_size=1, max_size=3))
def test_every_pixel_of_the_area_has_all_its_tiles(
    plan: TilePlan, boxes: list[tuple[float, float, float, float]]
) -> None:
    scope = ActiveTiles(plan, some_area(boxes))
    assert scope.area is not None
    meant = scope.area.mask(plan.full_window)
    worked = {tile for block in plan.blocks() for tile in scope.tiles_of(block)}
    outputs = set(scope.outputs())
    assert outputs == {output for output in every_output(plan) if scope.has_output(output)}
    for row, col in np.argwhere(meant).tolist():
        around = plan.touching_tiles(areas.Window(row, col, 1, 1))
        assert {(r, c) for r in around[0] for c in around[1]} <= worked
        assert (row // plan.rows.output_px, col // plan.cols.output_px) in outputs
    for output in outputs:
        assert all(scope.tiles_of(block) for block in scope.needed_blocks(output))
    assert scope.counts[0] == len(worked)


@each_plan
@given(plans(), st.lists(corners, min_size=1, max_size=3))
def test_no_pixel_is_read_for_a_tile_that_is_left_out(
    plan: TilePlan, boxes: list[tuple[float, float, float, float]]
) -> None:
    scope = ActiveTiles(plan, some_area(boxes))
    for block in plan.blocks():
        read: set[tuple[int, int]] = set()
        tiles = []
        for window, inside in scope.runs_of(block):
            tiles += inside
            read |= {
                (r, c)
                for r in range(window.row, window.row_stop)
                for c in range(window.col, window.col_stop)
            }
        assert tuple(tiles) == scope.tiles_of(block)
        needed = set()
        for tile in tiles:
            w = plan.tile_window(tile)
            needed |= {(r, c) for r in range(w.row, w.row_stop) for c in range(w.col, w.col_stop)}
        assert read == needed


def test_the_middle_lies_where_there_is_work() -> None:
    plan = TilePlan((100, 100), 10, 2, 2)
    scope = ActiveTiles(plan, some_area([(71, 83, 6, 6)]))
    assert scope.area is not None
    assert scope.area.touches(scope.middle)
    assert 0 < scope.share < 0.1


def test_workers_find_the_area_in_the_work_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = register_area(some_area([(1, 1, 5, 5)]))
    store_area(digest, LocalWork(tmp_path))
    monkeypatch.setattr("geochange.running.plan.active_tiles._areas", {})
    assert area_of(digest, LocalWork(tmp_path)).digest == digest
    monkeypatch.setattr("geochange.running.plan.active_tiles._areas", {})
    with pytest.raises(RunError, match="perhaps it was deleted"):
        area_of(digest, LocalWork(tmp_path / "elsewhere"))
