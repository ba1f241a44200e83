"""SpatialBlocks assign a raster to splits: no pixel in two splits, exact shares, same with a seed."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geochange.errors import OptionError
from geochange.grid.spatial_blocks import SpatialBlocks, assign_splits
from geochange.grid.tiling import TilePlan, Window

SHARES = {"train": 0.7, "val": 0.2, "test": 0.1}


@st.composite
def plans(draw: st.DrawFn) -> TilePlan:
    tile = draw(st.integers(2, 12))
    shape = draw(st.tuples(st.integers(1, 150), st.integers(1, 150)))
    return TilePlan(shape, tile, draw(st.integers(0, tile - 1)), draw(st.integers(1, 5)))


def chips_of(plan: TilePlan, blocks: SpatialBlocks) -> dict[str, list[Window]]:
    chips: dict[str, list[Window]] = {split: [] for split in blocks.splits}
    for tile in product(*map(range, plan.tiles)):
        window = plan.tile_window(tile)
        split = blocks.split_of(window)
        if split is not None:
            chips[split].append(window)
    return chips


def shared(plan: TilePlan, seed: int, gap_px: int = 0) -> dict[str, list[Window]] | None:
    try:
        return chips_of(plan, assign_splits(plan, SHARES, seed, gap_px))
    except OptionError:
        return None


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(plan=plans(), seed=st.integers(0, 99), gap_px=st.integers(0, 15))
def test_no_pixel_in_two_splits(plan: TilePlan, seed: int, gap_px: int) -> None:
    chips = shared(plan, seed, gap_px)
    if chips is None:
        return
    owner = np.full(plan.shape, -1)
    for number, windows in enumerate(chips.values()):
        for window in windows:
            seen = owner[max(window.row, 0) : window.row_stop, window.col : window.col_stop]
            assert set(np.unique(seen)) <= {-1, number}
            seen[:] = number
    for windows in chips.values():
        for window in windows:
            rows = slice(max(0, window.row - gap_px), window.row_stop + gap_px)
            cols = slice(max(0, window.col - gap_px), window.col_stop + gap_px)
            assert len(set(np.unique(owner[rows, cols])) - {-1}) == 1


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(20, 60),
    cols=st.integers(20, 60),
    block=st.integers(1, 3),
    seed=st.integers(0, 99),
)
def test_shares_are_kept_to_a_block(rows: int, cols: int, block: int, seed: int) -> None:
    plan = TilePlan((rows * 4, cols * 4), 4, 0, block)
    chips = chips_of(plan, assign_splits(plan, SHARES, seed))
    assert sum(map(len, chips.values())) == rows * cols  # without overlap none is lost
    largest = (block + block // 2) ** 2
    for split, share in SHARES.items():
        assert abs(len(chips[split]) - share * rows * cols) <= 2 * largest


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(plan=plans(), seed=st.integers(0, 99))
def test_every_split_gets_a_chip_and_a_seed_says_which(plan: TilePlan, seed: int) -> None:
    chips = shared(plan, seed)
    assert chips == shared(plan, seed)
    if chips is not None and plan.overlap_px == 0:
        assert all(chips.values())


def test_seeds_give_different_splits() -> None:
    plan = TilePlan((400, 400), 10, 0, 4)
    assert len({assign_splits(plan, SHARES, seed).owners for seed in range(5)}) == 5


def test_neighbours_are_together() -> None:
    plan = TilePlan((160, 160), 10, 0, 4)
    blocks = assign_splits(plan, SHARES, 0)
    for row, col in product(range(0, 160, 40), repeat=2):
        splits = {
            blocks.split_of(Window(row + down, col + right, 10, 10))
            for down, right in product(range(0, 40, 10), repeat=2)
        }
        assert len(splits) == 1 and None not in splits


def test_one_split_takes_all() -> None:
    plan = TilePlan((5, 7), 8, 3, 4)
    assert chips_of(plan, assign_splits(plan, {"train": 1.0}, 0)) == {"train": [Window(0, 0, 8, 8)]}


def test_a_gap_is_taken_from_training() -> None:
    """Two blocks side by side, four chips each: only training loses the chip at the border."""
    blocks = SpatialBlocks((0,), (0, 40), (0, 1), ("train", "val"), gap_px=10)
    row = [blocks.split_of(Window(0, col, 10, 10)) for col in range(0, 80, 10)]
    assert row == ["train"] * 3 + [None] + ["val"] * 4


def test_too_few_blocks() -> None:
    with pytest.raises(OptionError, match="1 block"):
        assign_splits(TilePlan((1024, 1024), 256, 0, 4), {"train": 0.8, "val": 0.2}, 0)
