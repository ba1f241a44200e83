"""The weighted mean of tiles: exact, independent of blocks, and NaN without data."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from geochange.grid.tiling import TilePlan
from geochange.mosaic.stitch import stitch
from geochange.mosaic.stores import LogitStore
from geochange.mosaic.taper import TAPERS, tile_weights

every_taper = pytest.mark.parametrize("taper", list(TAPERS))


class InMemory:
    """A LogitStore that is an array."""

    def __init__(self, tiles: NDArray[np.float16]) -> None:
        self.tiles = tiles

    def get(self, rows: range, cols: range, sparse: bool = False) -> NDArray[np.float16]:
        return self.tiles[rows.start : rows.stop, cols.start : cols.stop]


def random_tiles(plan: TilePlan, seed: int) -> NDArray[np.float16]:
    rng = np.random.default_rng(seed)
    shape = (*plan.tiles, plan.tile_px, plan.tile_px)
    return rng.normal(0, 30, shape).astype(np.float16)


def stitched(plan: TilePlan, taper: str, tiles: NDArray[np.float16]) -> NDArray[np.float32]:
    """Every output block, put together."""
    store = cast(LogitStore, InMemory(tiles))
    whole = np.full(plan.shape, 1e9, np.float32)
    for row in range(plan.outputs[0]):
        for col in range(plan.outputs[1]):
            place = plan.output_window((row, col)).within(plan.full_window)
            whole[place] = stitch(plan, (row, col), taper, store)
    return whole


def reference(plan: TilePlan, taper: str, tiles: NDArray[np.float16]) -> NDArray[np.float64]:
    """The same in float64, scattered over the whole raster at once."""
    total = np.zeros((max(plan.shape[0], plan.tile_px), max(plan.shape[1], plan.tile_px)))
    weight = np.zeros_like(total)
    taper_weights = tile_weights(taper, plan.tile_px).astype(np.float64)
    for row in range(plan.tiles[0]):
        for col in range(plan.tiles[1]):
            window = plan.tile_window((row, col))
            place = np.s_[window.row : window.row_stop, window.col : window.col_stop]
            total[place] += tiles[row, col].astype(np.float64) * taper_weights
            weight[place] += taper_weights
    return (total / weight)[: plan.shape[0], : plan.shape[1]]


@st.composite
def plans(draw: st.DrawFn) -> TilePlan:
    tile = draw(st.integers(2, 8))
    sizes = st.integers(1, 3 * tile + 1)
    overlap = draw(st.integers(0, tile * 7 // 8))
    return TilePlan((draw(sizes), draw(sizes)), tile, overlap, draw(st.integers(1, 4)))


@settings(max_examples=40, deadline=None)
@given(plans(), st.sampled_from(list(TAPERS)), st.integers(0, 99))
def test_the_bits_do_not_depend_on_the_block(plan: TilePlan, taper: str, seed: int) -> None:
    tiles = random_tiles(plan, seed)
    at_once = TilePlan(plan.shape, plan.tile_px, plan.overlap_px, 64)
    np.testing.assert_array_equal(stitched(plan, taper, tiles), stitched(at_once, taper, tiles))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(plans(), st.sampled_from(list(TAPERS)), st.integers(0, 99))
def test_it_is_the_weighted_mean(plan: TilePlan, taper: str, seed: int) -> None:
    tiles = random_tiles(plan, seed)
    found = stitched(plan, taper, tiles)
    assert found.dtype == np.float32
    # Tiles of opposite sign cancel, so the error is relative to the summed magnitudes.
    np.testing.assert_allclose(found, reference(plan, taper, tiles), rtol=1e-5, atol=2e-5)


@every_taper
def test_float32_is_accurate_at_full_tile_size(taper: str) -> None:
    plan = TilePlan((400, 300), 256, 64, 1)
    tiles = np.abs(random_tiles(plan, 5))
    np.testing.assert_allclose(
        stitched(plan, taper, tiles), reference(plan, taper, tiles), rtol=1e-5
    )


@every_taper
@pytest.mark.parametrize("value", [-4.0, 0.0, 0.1, 1e4])
def test_constant_logits_stay_constant(taper: str, value: float) -> None:
    plan = TilePlan((37, 29), 16, 5, 2)
    constant = np.float16(value)
    tiles = np.full((*plan.tiles, 16, 16), constant)
    found = stitched(plan, taper, tiles)
    np.testing.assert_allclose(found, np.full(plan.shape, constant, np.float32), rtol=5e-7)


@every_taper
def test_the_rim_is_the_answer_of_its_only_tile(taper: str) -> None:
    plan = TilePlan((40, 40), 32, 8, 1)
    tiles = random_tiles(plan, 2)
    found = stitched(plan, taper, tiles)
    for (row, col), tile, pixel in [
        ((0, 0), (0, 0), (0, 0)),
        ((0, 39), (0, 1), (0, 31)),
        ((39, 0), (1, 0), (31, 0)),
        ((39, 39), (1, 1), (31, 31)),
    ]:
        assert found[row, col] == pytest.approx(float(tiles[tile][pixel]), rel=1e-6)


def test_a_raster_below_a_tile_is_cropped_out_of_it() -> None:
    plan = TilePlan((3, 5), 16, 4, 2)
    tiles = random_tiles(plan, 3)
    found = stitched(plan, "hann", tiles)
    np.testing.assert_allclose(found, tiles[0, 0, :3, :5].astype(np.float32), rtol=1e-6)


@every_taper
def test_missing_pixels_stay_missing_and_alone(taper: str) -> None:
    plan = TilePlan((37, 29), 16, 5, 2)
    tiles = random_tiles(plan, 4)
    hole = np.zeros(plan.shape, bool)
    hole[10:20, 8:15] = hole[36, 28] = True
    holed = tiles.copy()
    for row in range(plan.tiles[0]):
        for col in range(plan.tiles[1]):
            holed[row, col][hole[plan.tile_window((row, col)).within(plan.full_window)]] = np.nan
    found = stitched(plan, taper, holed)
    np.testing.assert_array_equal(np.isnan(found), hole)
    np.testing.assert_array_equal(found[~hole], stitched(plan, taper, tiles)[~hole])


@every_taper
def test_a_tile_that_was_never_inferred_is_missing_and_not_unchanged(taper: str) -> None:
    plan = TilePlan((24, 24), 16, 8, 2)
    tiles = random_tiles(plan, 4)
    tiles[0, 1] = np.nan
    assert np.isnan(stitched(plan, taper, tiles)[:16, 8:]).all()
