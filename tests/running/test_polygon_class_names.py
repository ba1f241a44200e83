"""Names from planted scores: equal to a manual count, for any blocks; and --only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from makers import NORTH_UP, UTM
from numpy.typing import NDArray
from region_files import blobs, region_file_of

from geochange.errors import OptionError
from geochange.grid.grid import Grid
from geochange.grid.tiling import TilePlan
from geochange.models.protocol import NamingRule
from geochange.mosaic.stores import ScoreStore
from geochange.running.polygon_class_names import (
    ChangeNamer,
    ChosenClasses,
    LandNamer,
    choose_classes,
    parse_class_names,
)
from geochange.storage.local import LocalWork
from geochange.vector.changes import to_changes
from geochange.vector.files.layers import concatenate_batches
from geochange.vector.generalization.outline_style import OutlineStyle

CLASSES = ("farmland", "building", "pond")
NAMES = ["before_class", "after_class", "change", "before_score", "after_score"]


def store_of(folder: Path, plan: TilePlan, scores: NDArray[np.float32]) -> ScoreStore:
    """(tile row, tile col, date, class) scores, as a run leaves them."""
    store = ScoreStore(LocalWork(folder / f"scores-{plan.block_tiles}"), plan, CLASSES)
    store.work.begin()
    store.array.create()
    for block in plan.blocks():
        rows, cols = plan.block_tile_ranges(block)
        store.put(block, scores[rows.start : rows.stop, cols.start : cols.stop])
    return store


def named(raster: NDArray[np.uint8], store: ScoreStore, only: str | None = None) -> pd.DataFrame:
    namer = ChangeNamer(store, parse_class_names(only, CLASSES))
    grid = Grid(UTM, NORTH_UP, raster.shape)
    return concatenate_batches(to_changes(region_file_of(raster), grid, OutlineStyle(0), 0, namer))


@pytest.fixture
def planted(tmp_path: Path) -> tuple[NDArray[np.uint8], ScoreStore]:
    """A row of three tiles of 8 px that overlap by 2; changes in one, two, three and no scored tile."""
    plan = TilePlan((8, 26), 8, 2, 2)
    assert plan.tiles == (1, 4)
    scores = np.zeros((1, 4, 2, 3), np.float32)
    scores[0, 0] = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]
    scores[0, 1] = [[0.3, 0.1, 0.6], [0.3, 0.1, 0.6]]
    scores[0, 2] = [[0.1, 0.1, 0.8], [0.1, 0.1, 0.8]]
    scores[0, 3] = np.nan
    raster = np.zeros((8, 26), np.uint8)
    raster[0, 0:6] = 254  # 6 px in the first tile
    raster[2, 4:12] = 254  # 4 px in the first, 6 in the second: 2 of 8 lie in both
    raster[4, 8:12] = 254  # 4 px in the second
    raster[6, 20:26] = 254  # only in the last tile, which has no scores
    return raster, store_of(tmp_path, plan, scores)


def test_names_are_those_of_the_tiles_by_overlap(
    planted: tuple[NDArray[np.uint8], ScoreStore],
) -> None:
    found = named(*planted)
    assert found["before_class"].tolist() == ["farmland", "farmland", "pond", pd.NA]
    assert found["after_class"].tolist() == ["building", "pond", "pond", pd.NA]
    assert found["change"].tolist() == [
        "farmland -> building",
        "farmland -> pond",
        "within pond",
        pd.NA,
    ]
    before = [0.7, (4 * 0.7 + 6 * 0.3) / 10, 0.6, np.nan]
    after = [0.8, (4 * 0.1 + 6 * 0.6) / 10, 0.6, np.nan]
    np.testing.assert_allclose(found["before_score"], before, atol=2e-6)
    np.testing.assert_allclose(found["after_score"], after, atol=2e-6)


def test_of_equal_scores_the_first_class_is_taken(tmp_path: Path) -> None:
    plan = TilePlan((8, 8), 8, 0, 1)
    scores = np.full((1, 1, 2, 3), 0.25, np.float32)
    found = named(np.full((8, 8), 254, np.uint8), store_of(tmp_path, plan, scores))
    assert found[["change", "before_score"]].values.tolist() == [["within farmland", 0.25]]


@pytest.mark.parametrize(
    ("only", "ids"),
    [("building", 1), ("FARMLAND", 2), (" pond , building", 3), ("pond,pond", 2)],
)
def test_only_what_is_asked_for_is_kept(
    planted: tuple[NDArray[np.uint8], ScoreStore], only: str, ids: int
) -> None:
    found, wanted = named(*planted, only), parse_class_names(only, CLASSES)
    assert wanted is not None
    assert found["id"].tolist() == list(range(1, ids + 1))
    assert (found["before_class"].isin(wanted) | found["after_class"].isin(wanted)).all()


@pytest.mark.slow
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 99),
    tile=st.integers(4, 30),
    overlap=st.integers(0, 3),
    blocks=st.lists(st.integers(1, 9), min_size=2, max_size=2),
)
def test_blocks_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory, seed: int, tile: int, overlap: int, blocks: list[int]
) -> None:
    raster = blobs(seed, 60).astype(np.uint8) * 254
    plans = [TilePlan(raster.shape, tile, overlap, block) for block in blocks]
    rng = np.random.default_rng(seed)
    scores = rng.dirichlet(np.ones(3), (*plans[0].tiles, 2)).astype(np.float32)
    scores[rng.random(plans[0].tiles) < 0.1] = np.nan
    one, other = (
        named(raster, store_of(tmp_path_factory.mktemp("scores"), plan, scores)) for plan in plans
    )
    pd.testing.assert_frame_equal(
        pd.DataFrame(one[NAMES]), pd.DataFrame(other[NAMES]), check_exact=True
    )


@pytest.mark.parametrize(
    ("least", "changes"),
    [
        (0.0, ["within pond", "within pond", "within pond", None]),
        (0.85, [None, None, "within pond", None]),
    ],
)
def test_names_of_one_meaning_score_together_and_weak_ones_are_not_said(
    tmp_path: Path, least: float, changes: list[str | None]
) -> None:
    plan = TilePlan((8, 26), 8, 2, 2)
    scores = np.zeros((1, 4, 2, 3), np.float32)
    scores[0, :3] = [
        0.4,
        0.25,
        0.35,
    ]  # farmland is first by itself, pond and building are first together
    scores[0, 2] = [0.05, 0.1, 0.85]
    scores[0, 3] = np.nan
    raster = np.zeros((8, 26), np.uint8)
    for row, cols in enumerate((slice(0, 6), slice(8, 12), slice(14, 18), slice(20, 26))):
        raster[2 * row, cols] = 254
    rule = NamingRule((("pond", "building", "unheard of"),), least)
    namer = ChangeNamer(store_of(tmp_path, plan, scores), None, rule)
    found = concatenate_batches(
        to_changes(
            region_file_of(raster), Grid(UTM, NORTH_UP, raster.shape), OutlineStyle(0), 0, namer
        )
    )
    assert [None if pd.isna(each) else each for each in found["change"]] == changes
    said = found["change"].notna()
    assert (found["before_score"].notna() == said).all()
    assert (found["before_score"][said] >= max(least, 0.6)).all()


LAND = ("building", "road", "vegetation", "water", "other land")


def land_named(
    raster: NDArray[np.uint8], land: NDArray[np.uint8], block: tuple[int, int]
) -> pd.DataFrame:
    grid = Grid(UTM, NORTH_UP, raster.shape)
    shelf = region_file_of(raster, block, land=land)
    return concatenate_batches(to_changes(shelf, grid, OutlineStyle(0), 0, LandNamer(LAND)))


@pytest.mark.slow
@pytest.mark.parametrize("block", [(8, 26), (3, 5), (1, 1)])
def test_names_are_those_of_a_regions_own_pixels(block: tuple[int, int]) -> None:
    raster, land = np.zeros((8, 26), np.uint8), np.full((2, 8, 26), 3, np.uint8)
    raster[0, 0:6] = raster[2, 0:4] = raster[4, 0:5] = raster[6, 0:3] = 254
    land[0, 0, 0:6], land[1, 0, 0:6] = 2, (0, 0, 0, 0, 1, 1)
    land[:, 2, 0:4] = 0
    land[1, 4, 0:5] = (0, 1, 2, 4, 4)  # each at most one half
    land[:, 6, 0:3] = 255  # no data
    found = land_named(raster, land, block)
    assert found["change"].tolist() == [
        "vegetation -> building",
        "within building",
        pd.NA,
        pd.NA,
    ]
    assert found["before_class"].tolist() == ["vegetation", "building", "water", pd.NA]
    np.testing.assert_allclose(found["after_score"], [4 / 6, 1, np.nan, np.nan])


def test_places_are_named_beside_what_stands_on_the_pixels(
    planted: tuple[NDArray[np.uint8], ScoreStore],
) -> None:
    raster, store = planted
    land = np.full((2, *raster.shape), 3, np.uint8)
    land[1] = 0
    by_tile = named(raster, store)
    shelf = region_file_of(raster, raster.shape, land=land)
    grid = Grid(UTM, NORTH_UP, raster.shape)
    both = LandNamer(LAND, ChangeNamer(store))
    found = concatenate_batches(to_changes(shelf, grid, OutlineStyle(0), 0, both))
    assert found["change"].tolist() == [f"{LAND[3]} -> {LAND[0]}"] * len(by_tile)
    for date in ("before", "after"):
        assert found[f"{date}_place"].tolist() == by_tile[f"{date}_class"].tolist()
    assert by_tile["before_class"].notna().any()
    assert by_tile["before_place"].isna().all()


def test_only_means_pixels_where_both_have_a_name() -> None:
    places = ("building", "farmland")
    assert choose_classes(None, places, LAND) == ChosenClasses()
    assert choose_classes("Building, road", places, LAND) == ChosenClasses(("building", "road"))
    assert choose_classes("farmland", places, LAND) == ChosenClasses((), frozenset({"farmland"}))
    assert choose_classes("building", places, ()) == ChosenClasses((), frozenset({"building"}))
    assert choose_classes("water", (), LAND) == ChosenClasses(("water",)), (
        "with --prompts fixed too"
    )
    with pytest.raises(OptionError, match="name only those of one kind"):
        choose_classes("building,farmland", places, LAND)
    with pytest.raises(OptionError, match="did you mean building"):
        choose_classes("bilding", places, LAND)


def test_names_that_are_not_there_are_refused_with_those_near() -> None:
    assert parse_class_names(None, ()) is None
    for only, why in (
        ("bulding", "--only bulding: not in the vocabulary; did you mean building?"),
        ("building,lake", "--only lake: .* it has farmland, building, pond"),
        ("land", "did you mean farmland?"),
        (" , ", "names no class"),
    ):
        with pytest.raises(OptionError, match=why):
            parse_class_names(only, CLASSES)
    with pytest.raises(OptionError, match="names no classes"):
        parse_class_names("building", ())
