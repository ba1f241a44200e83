"""A task reads what another task wrote; a chunk that exists is complete."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from file_damage import DAMAGES

from geochange.grid.probability_bytes import NODATA
from geochange.grid.tiling import TilePlan, Window
from geochange.mosaic.checked_array import DamagedStoreError
from geochange.mosaic.stores import LogitStore, ProbabilityStore, ScoreStore
from geochange.storage.local import LocalWork

PLAN = TilePlan((60, 88), tile_px=16, overlap_px=4, block_tiles=2)


@pytest.fixture
def logits(tmp_path: Path) -> LogitStore:
    store = LogitStore(LocalWork(tmp_path), PLAN)
    store.array.create()
    return store


@pytest.fixture
def probability(tmp_path: Path) -> ProbabilityStore:
    store = ProbabilityStore(LocalWork(tmp_path), PLAN)
    store.array.create()
    return store


def block_of(plan: TilePlan, block: tuple[int, int]) -> np.ndarray:
    """Logits that identify their tile: row * 100 + col + a small number for the pixel."""
    rows, cols = plan.block_tile_ranges(block)
    tile = np.arange(plan.tile_px) / 64
    places = np.array([[row * 100 + col for col in cols] for row in rows])
    return (places[..., None, None] + tile[:, None] + 0 * tile).astype(np.float16)


def test_tiles_come_back_from_any_rectangle(logits: LogitStore) -> None:
    for block in PLAN.blocks():
        logits.put(block, block_of(PLAN, block))
    found = logits.get(range(1, 4), range(0, 3))
    assert found.dtype == np.float16
    assert found.shape == (3, 3, 16, 16)
    for (i, row), (j, col) in product(enumerate(range(1, 4)), enumerate(range(3))):
        np.testing.assert_allclose(found[i, j, :, 0], row * 100 + col + np.arange(16) / 64, 1e-3)


def test_a_block_is_there_once_it_is_put_and_until_it_is_dropped(logits: LogitStore) -> None:
    blocks = list(PLAN.blocks())
    assert [logits.has(block) for block in blocks] == [False] * len(blocks)
    logits.put(blocks[1], block_of(PLAN, blocks[1]))
    assert [block for block in blocks if logits.has(block)] == [blocks[1]]
    logits.drop(blocks[1])
    logits.drop(blocks[1])
    assert not logits.has(blocks[1])
    rows, cols = PLAN.block_tile_ranges(blocks[1])
    assert np.isnan(logits.get(rows, cols, sparse=True)).all()


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_a_block_of_nothing_is_there_too(logits: LogitStore, value: float) -> None:
    logits.put((0, 0), np.full((2, 2, 16, 16), value, np.float16))
    assert logits.has((0, 0))


def test_the_last_block_may_be_narrower(logits: LogitStore) -> None:
    last = list(PLAN.blocks())[-1]
    rows, cols = PLAN.block_tile_ranges(last)
    assert (len(rows), len(cols)) != (2, 2)
    logits.put(last, block_of(PLAN, last))
    np.testing.assert_allclose(logits.get(rows, cols), block_of(PLAN, last), rtol=1e-3)


def test_a_raster_below_a_tile_has_a_store_of_one(tmp_path: Path) -> None:
    plan = TilePlan((3, 2), tile_px=16, overlap_px=4, block_tiles=8)
    store = LogitStore(LocalWork(tmp_path), plan)
    store.array.create()
    store.put((0, 0), np.ones((1, 1, 16, 16), np.float16))
    assert store.has((0, 0))
    assert (store.get(range(1), range(1)) == 1).all()


def test_a_block_of_logits_shares_no_chunk_with_another(logits: LogitStore, tmp_path: Path) -> None:
    for block in PLAN.blocks():
        logits.put(block, block_of(PLAN, block))
    chunks = [path for path in ((tmp_path / "logits.zarr") / "c").rglob("*") if path.is_file()]
    rows = [len(PLAN.block_tile_ranges(block)[0]) for block in PLAN.blocks()]
    assert len(chunks) == sum(rows)


def test_a_block_that_lacks_a_chunk_is_not_there(logits: LogitStore, tmp_path: Path) -> None:
    logits.put((0, 1), block_of(PLAN, (0, 1)))
    assert logits.has((0, 1))
    ((tmp_path / "logits.zarr") / "c" / "1" / "1" / "0" / "0").unlink()
    assert not logits.has((0, 1))


def test_probability_comes_back_from_any_window(
    probability: ProbabilityStore, tmp_path: Path
) -> None:
    whole = np.arange(60 * 88).reshape(60, 88).astype(np.uint8)
    rows, cols = PLAN.outputs
    for output in product(range(rows), range(cols)):
        assert not probability.has(output)
        probability.put(output, whole[PLAN.output_window(output).within(PLAN.full_window)])
        assert probability.has(output)
    np.testing.assert_array_equal(probability.get(PLAN.full_window), whole)
    window = Window(11, 20, 30, 33)
    np.testing.assert_array_equal(probability.get(window), whole[window.within(PLAN.full_window)])
    chunks = [path for path in ((tmp_path / "probability.zarr") / "c").rglob("*") if path.is_file()]
    assert len(chunks) == rows * cols


def test_what_nobody_put_is_no_data_only_where_that_is_expected(
    logits: LogitStore, probability: ProbabilityStore
) -> None:
    assert np.isnan(logits.get(range(0, 2), range(0, 2), sparse=True)).all()
    with pytest.raises(DamagedStoreError, match="is missing"):
        logits.get(range(0, 2), range(0, 2))
    with pytest.raises(DamagedStoreError, match="is missing"):
        probability.get(PLAN.full_window)


def test_an_output_without_data_is_there_too(probability: ProbabilityStore) -> None:
    window = PLAN.output_window((0, 0))
    probability.put((0, 0), np.full((window.height, window.width), NODATA, np.uint8))
    assert probability.has((0, 0))


def test_scores_come_back_by_tile_date_and_class(tmp_path: Path) -> None:
    store = ScoreStore(LocalWork(tmp_path), PLAN, ("house", "field", "pond"))
    store.array.create()
    rows, cols = PLAN.tiles
    scores = np.random.default_rng(0).random((rows, cols, 2, 3), np.float32)
    *blocks, forgotten = PLAN.blocks()
    for block in blocks:
        tile_rows, tile_cols = PLAN.block_tile_ranges(block)
        store.put(block, scores[tile_rows.start : tile_rows.stop, tile_cols.start : tile_cols.stop])
    tile_rows, tile_cols = PLAN.block_tile_ranges(forgotten)
    scores[tile_rows.start :, tile_cols.start :] = np.nan
    whole = slice(0, rows), slice(0, cols)
    np.testing.assert_array_equal(store.array.read(whole, sparse=True), scores)
    np.testing.assert_array_equal(store.get(range(1, 3), range(2, 5)), scores[1:3, 2:5])


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_chunk_is_not_there_and_is_written_anew(
    damage: str, logits: LogitStore, probability: ProbabilityStore, tmp_path: Path
) -> None:
    block = block_of(PLAN, (0, 1))
    logits.put((0, 1), block)
    output = np.full((PLAN.output_window((1, 1)).height, PLAN.output_window((1, 1)).width), 7)
    probability.put((1, 1), output.astype(np.uint8))
    DAMAGES[damage]((tmp_path / "logits.zarr") / "c" / "1" / "1" / "0" / "0")
    DAMAGES[damage]((tmp_path / "probability.zarr") / "c" / "1" / "1")
    assert not logits.has((0, 1)) and not probability.has((1, 1))
    logits.array.create()
    probability.array.create()
    logits.put((0, 1), block)
    probability.put((1, 1), output.astype(np.uint8))
    assert logits.has((0, 1)) and probability.has((1, 1))
    np.testing.assert_array_equal(probability.get(PLAN.output_window((1, 1))), output)


def test_a_damaged_chunk_is_never_read(probability: ProbabilityStore, tmp_path: Path) -> None:
    window = PLAN.output_window((0, 0))
    probability.put((0, 0), np.full((window.height, window.width), 7, np.uint8))
    DAMAGES["flipped"]((tmp_path / "probability.zarr") / "c" / "0" / "0")
    with pytest.raises(DamagedStoreError, match=r"probability\.zarr: .*the same command again"):
        probability.get(window)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_metadata_is_written_anew_and_chunks_stay(
    damage: str, logits: LogitStore, tmp_path: Path
) -> None:
    logits.put((0, 1), block_of(PLAN, (0, 1)))
    right = ((tmp_path / "logits.zarr") / "zarr.json").read_bytes()
    DAMAGES[damage]((tmp_path / "logits.zarr") / "zarr.json")
    logits.array.create()
    assert ((tmp_path / "logits.zarr") / "zarr.json").read_bytes() == right
    assert logits.has((0, 1))


def test_what_stands_in_the_place_of_a_store_goes(tmp_path: Path) -> None:
    (tmp_path / "logits.zarr").write_text("no store")
    store = LogitStore(LocalWork(tmp_path), PLAN)
    store.array.create()
    ((tmp_path / "logits.zarr") / "c").write_text("no folder")
    store.array.create()
    ((tmp_path / "logits.zarr") / "c" / "0").mkdir(parents=True)
    ((tmp_path / "logits.zarr") / "c" / "0" / "1").write_text("no folder either")
    store.array.create()
    store.put((0, 1), block_of(PLAN, (0, 1)))
    ((tmp_path / "logits.zarr") / "c" / "0" / "1" / "0" / "0.123.partial").write_text(
        "half written"
    )
    store.array.create()
    assert store.has((0, 1))
    assert [path.name for path in (tmp_path / "logits.zarr").rglob("*.partial")] == []
