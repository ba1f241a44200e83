"""Patchwork: every pixel comes from the tile in which it lies deepest, for any blocks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from geochange.grid.tiling import TilePlan
from geochange.land_cover import NO_LAND_CLASS
from geochange.mosaic.class_mosaic import mosaic_classes
from geochange.mosaic.stores import LandStore
from geochange.storage.local import LocalWork


def patched(folder: Path, plan: TilePlan, tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All output blocks of a plan, laid side by side."""
    store = LandStore(LocalWork(folder / f"land-{plan.block_tiles}"), plan)
    store.work.begin()
    store.array.create()
    for block in plan.blocks():
        rows, cols = plan.block_tile_ranges(block)
        store.put(block, tiles[rows.start : rows.stop, cols.start : cols.stop])
    whole = np.zeros((2, *plan.shape), np.uint8)
    for output in np.ndindex(plan.rows.outputs, plan.cols.outputs):
        window = plan.output_window(output)
        whole[:, *window.within(plan.full_window)] = mosaic_classes(plan, output, store)
    return whole


@pytest.mark.slow
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    height=st.integers(3, 40),
    width=st.integers(3, 40),
    overlap=st.integers(0, 5),
    blocks=st.tuples(st.integers(1, 4), st.integers(1, 4)),
)
def test_blocks_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory,
    height: int,
    width: int,
    overlap: int,
    blocks: tuple[int, int],
) -> None:
    plans = [TilePlan((height, width), 11, overlap, block) for block in blocks]
    draw = np.random.default_rng(height)
    tiles = draw.integers(0, 5, (*plans[0].tiles, 2, 11, 11), np.uint8)
    one, other = (patched(tmp_path_factory.mktemp("land"), plan, tiles) for plan in plans)
    np.testing.assert_array_equal(one, other)
    assert (one != NO_LAND_CLASS).all()


def test_tiles_meet_in_the_middle_of_what_they_share(tmp_path: Path) -> None:
    plan = TilePlan((8, 14), 8, 2, 1)
    tiles = np.zeros((*plan.tiles, 2, 8, 8), np.uint8)
    tiles[0, 1] = 1
    assert patched(tmp_path, plan, tiles)[0, 0].tolist() == [0] * 7 + [1] * 7


def test_what_no_tile_saw_is_unseen(tmp_path: Path) -> None:
    plan = TilePlan((8, 14), 8, 2, 1)
    store = LandStore(LocalWork(tmp_path), plan)
    store.array.create()
    assert (mosaic_classes(plan, (0, 0), store, sparse=True) == NO_LAND_CLASS).all()
