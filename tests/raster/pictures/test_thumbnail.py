"""A thumbnail shows what the raster shows, for any blocks."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tile_plans import plans

from geochange.grid.tiling import TilePlan, Window
from geochange.mosaic.stores import ThumbnailStore
from geochange.raster.pictures.thumbnail import Thumbnail, ThumbnailBuilder, ThumbnailPixels
from geochange.storage.local import LocalWork

LIKE = np.empty(3, np.uint8)


def raster(shape: tuple[int, int]) -> NDArray[np.uint8]:
    return np.random.default_rng(2).integers(1, 255, (*shape, 4), dtype=np.uint8)


def at_once(
    miniature: Thumbnail, pixels: NDArray[np.uint8], valid: NDArray[np.bool_]
) -> ThumbnailPixels:
    part = ThumbnailBuilder(miniature, miniature.full_window, LIKE)
    part.add(Window(0, 0, *miniature.shape), pixels, valid)
    return part.values()


@pytest.mark.slow
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 40))
def test_cells_are_as_few_as_is_wanted(height: int, width: int, longest: int) -> None:
    miniature = Thumbnail((height, width), longest)
    cells = miniature.full_window
    assert cells.row == cells.col == 0 and max(cells.height, cells.width) <= longest
    for count, axis in zip((cells.height, cells.width), miniature.axes, strict=True):
        assert count >= 1 and abs(count * axis.cell_px - axis.size_px) <= axis.cell_px / 2


@pytest.mark.slow
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 12))
def test_every_cell_shows_something(height: int, width: int, longest: int) -> None:
    seen, there = at_once(
        Thumbnail((height, width), longest), raster((height, width)), np.ones((height, width), bool)
    )
    assert there.all() and seen.min() >= 1


def test_a_cell_is_the_mean_of_nine_pixels() -> None:
    pixels = raster((48, 36))
    seen, there = at_once(Thumbnail((48, 36), 4), pixels, np.ones((48, 36), bool))
    assert there.all() and Thumbnail((48, 36), 4).axes[0].offsets == [2, 6, 10]
    expected = np.mean([pixels[r::12, c::12, :3] for r in (2, 6, 10) for c in (2, 6, 10)], axis=0)
    np.testing.assert_array_equal(seen, np.rint(expected))


def test_pixels_without_data_do_not_count() -> None:
    pixels = np.full((12, 24, 4), 200, np.uint8)
    valid = np.zeros((12, 24), bool)
    pixels[2, 2] = 40
    valid[2, 2] = True
    seen, there = at_once(Thumbnail((12, 24), 2), pixels, valid)
    assert there.tolist() == [[True, False]]
    assert seen[0, 0].tolist() == [40, 40, 40]


@settings(max_examples=60, deadline=None)
@given(plans(), st.integers(1, 9))
def test_blocks_share_the_raster_out(plan: TilePlan, longest: int) -> None:
    miniature = Thumbnail(plan.shape, longest)
    owners, cells = (
        np.zeros(plan.shape, int),
        np.zeros((miniature.full_window.height, miniature.full_window.width)),
    )
    for block in plan.blocks():
        own = plan.owned_window(block)
        assert own.intersection(plan.block_window(block)) == own
        owners[own.within(plan.full_window)] += 1
        cells[miniature.owned(own).within(miniature.full_window)] += 1
    assert (owners == 1).all() and (cells == 1).all()


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(plans(), st.integers(1, 9))
def test_the_store_puts_together_what_blocks_saw(plan: TilePlan, longest: int) -> None:
    miniature, pixels = Thumbnail(plan.shape, longest), raster(plan.shape)
    valid = np.ones(plan.shape, bool)
    valid[: plan.shape[0] // 3] = False
    with tempfile.TemporaryDirectory() as folder:
        store = ThumbnailStore(LocalWork(Path(folder)), "before", plan, miniature, LIKE)
        store.array.create()
        for block in plan.blocks():
            part = ThumbnailBuilder(miniature, miniature.owned(plan.owned_window(block)), LIKE)
            # A single block sees all tiles, so the result is the same.
            part.add(plan.full_window, pixels, valid)
            store.put(block, part.values())
        seen, there = store.get(plan.blocks())
    expected = at_once(miniature, pixels, valid)
    np.testing.assert_array_equal(seen, expected[0])
    np.testing.assert_array_equal(there, expected[1])
