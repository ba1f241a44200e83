"""The scene sample: whole windows, evenly spread, limited in number, equal for both dates."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import NORTH_UP, UTM, make_raster, noise
from tiff_damage import overwrite_tiles

from geochange.grid.tiling import Window
from geochange.raster.access import retry
from geochange.raster.access.unreadable_areas import UnreadableAreas, UnreadableError
from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.reader import inspect_raster
from geochange.raster.scene.radiometry import UNCHANGED, Stretch, choose_radiometry
from geochange.raster.scene.sampling import MAX_VALUES, WINDOW_PX, SceneSample, sample_windows
from geochange.vector.aoi import AreaOfInterest

ONE = Bands((1,), (1,))


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 10**6), st.integers(1, 10**6), st.sampled_from([1, 3, 4, 13, 200]))
def test_windows_lie_inside_apart_and_are_few(height: int, width: int, bands: int) -> None:
    windows = sample_windows((height, width), bands)
    assert sum(window.pixels for window in windows) * bands <= max(MAX_VALUES, WINDOW_PX**2 * bands)
    whole = Window(0, 0, height, width)
    assert all(window.intersection(whole) == window for window in windows)
    assert all(max(window.height, window.width) <= WINDOW_PX for window in windows)
    for rows in ({w.row: w.row_stop for w in windows}, {w.col: w.col_stop for w in windows}):
        spans = sorted(rows.items())
        assert all(stop <= start for (_, stop), (start, _) in pairwise(spans))


@pytest.mark.parametrize("shape", [(1, 1), (256, 256), (257, 40), (2048, 2048), (1000, 700)])
def test_a_small_scene_is_sampled_whole(shape: tuple[int, int]) -> None:
    windows = sample_windows(shape, 3)
    assert sum(window.pixels for window in windows) == shape[0] * shape[1]


def test_a_large_scene_is_sampled_from_rim_to_rim() -> None:
    windows = sample_windows((10_000, 50_000), 3)
    assert len(windows) == 64
    assert windows[0] == Window(0, 0, WINDOW_PX, WINDOW_PX)
    assert (windows[-1].row_stop, windows[-1].col_stop) == (10_000, 50_000)
    cols = sorted({window.col for window in windows})
    assert np.ptp(np.diff(cols)) <= 1


def pair_of(tmp_path: Path, dtype: str, after: Affine, nodata: float | None = None) -> RasterPair:
    dates = noise((2, 20, 30, 1), dtype=dtype)
    if nodata is not None:
        dates[:, :4, :5] = nodata
    paths = [
        make_raster(tmp_path / f"{name}.tif", pixels, UTM, transform, nodata=nodata)
        for name, pixels, transform in zip(
            ("before", "after"), dates, (NORTH_UP, after), strict=True
        )
    ]
    return align_pair(inspect_raster(paths[0]), inspect_raster(paths[1]), "before", ONE)


def test_the_sample_holds_the_valid_pixels_of_each_date(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, "int16", NORTH_UP, nodata=-9999)
    sample = SceneSample(pair)
    before, after = sample.pixels()
    assert before.values.shape == after.values.shape == (600 - 20, 1)
    np.testing.assert_array_equal(before.values, noise((2, 20, 30, 1))[0].reshape(600, 1)[_kept()])
    assert -9999 not in after.values


def _kept() -> np.ndarray:
    rows, cols = np.indices((20, 30)).reshape(2, -1)
    return np.asarray(~((rows < 4) & (cols < 5)))


def test_chips_are_the_windows_as_the_network_sees_them(tmp_path: Path) -> None:
    sample = SceneSample(pair_of(tmp_path, "uint8", NORTH_UP, nodata=255))
    (chip,) = sample.chips(UNCHANGED)
    assert chip.shape == (20, 30)
    assert chip.before.dtype == np.uint8
    np.testing.assert_array_equal(chip.valid.ravel(), _kept())


def test_a_window_without_data_is_no_chip(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "void.tif", np.zeros((20, 30), np.uint8), nodata=0)
    sample = SceneSample(align_pair(inspect_raster(path), inspect_raster(path), "before", ONE))
    assert list(sample.chips(UNCHANGED)) == []
    assert [date.values.shape for date in sample.pixels()] == [(0, 1), (0, 1)]


@pytest.mark.parametrize(
    ("dtype", "nodata"),
    [("uint16", None), ("uint16", 0), ("int16", None), ("int16", -9999), ("float32", -9999)],
)
def test_a_warp_does_not_turn_a_joint_stretch_into_two(
    tmp_path: Path, dtype: str, nodata: float | None
) -> None:
    """Two dates of one dtype have a common scale, whether or not one of them is resampled."""
    half = NORTH_UP @ Affine.translation(0.5, 0.5)
    sample = SceneSample(pair_of(tmp_path, dtype, half, nodata))
    radiometry = choose_radiometry("joint", *sample.pixels())
    assert radiometry.before is not None
    assert radiometry.before == radiometry.after


@pytest.mark.slow
def test_what_cannot_be_read_is_left_out_of_the_sample_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "sleep", lambda pause_s: None)
    profile = {"compress": "deflate", "tiled": True, "blockxsize": 32, "blockysize": 32}
    before = make_raster(tmp_path / "before.tif", noise((100, 90)), **profile)
    after = make_raster(tmp_path / "after.tif", noise((100, 90), 1), **profile)
    pair = align_pair(inspect_raster(before), inspect_raster(after), "before", Bands((1,), (1,)))
    overwrite_tiles(after, (1, 0))
    sample = SceneSample(pair, skip_unreadable=True)
    first, second = sample.pixels()
    assert sample.unreadable == UnreadableAreas((), (Window(32, 0, 32, 32),))
    assert len(first.values) == 9000
    kept = np.delete(noise((100, 90), 1).ravel(), np.arange(9000).reshape(100, 90)[32:64, :32])
    np.testing.assert_array_equal(np.sort(second.values.ravel()), np.sort(kept))
    with pytest.raises(UnreadableError, match="rows 32-63, columns 0-31"):
        SceneSample(pair).pixels()


@pytest.mark.parametrize(
    ("dtype", "mode", "reads"),
    [
        ("uint8", "joint", False),
        ("uint8", "per-date", True),
        ("uint16", "joint", True),
        ("uint16", "none", False),
        ("uint16", Stretch((0.0,), (9.0,)), False),
    ],
)
def test_no_pixel_is_read_that_nothing_depends_on(
    tmp_path: Path, dtype: str, mode: str | Stretch, reads: bool
) -> None:
    pair = pair_of(tmp_path, dtype, NORTH_UP)
    sample = SceneSample(pair)
    radiometry = sample.radiometry(mode)
    assert radiometry == choose_radiometry(mode, *SceneSample(pair).pixels())
    chips = sample.chips(radiometry)
    assert ("_both" in vars(sample)) == reads
    assert len(chips) == len(list(chips)) == 1
    assert "_both" in vars(sample)


@pytest.mark.slow
def test_an_area_is_sampled_in_its_windows_alone() -> None:
    area = AreaOfInterest(np.array([shapely.box(40_000, 9_000, 40_700, 9_600)], dtype=object))
    windows = sample_windows((50_000, 50_000), 3, area)
    assert 9 <= len(windows) <= 16
    assert all(area.touches(window) for window in windows)
    wide = AreaOfInterest(np.array([shapely.box(0, 0, 50_000, 50_000)], dtype=object))
    assert len(sample_windows((50_000, 50_000), 3, wide)) == 64


def test_what_lies_outside_of_the_area_is_not_valid(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, "uint8", NORTH_UP)
    area = AreaOfInterest(np.array([shapely.box(3, 2, 13, 12)], dtype=object))
    sample = SceneSample(pair, area=area)
    assert sum(window.valid.sum() for window in sample.before) == 100
    assert sample.nodata_shares() == (0, 0)
    first, second = sample.valid_at_both()
    assert first.shape == second.shape == (100, 1)


def test_what_is_nodata_is_told_by_date(tmp_path: Path) -> None:
    dates = noise((2, 20, 30), dtype="uint8")
    dates[1, :10] = 255
    paths = [make_raster(tmp_path / f"{i}.tif", date, nodata=255) for i, date in enumerate(dates)]
    sample = SceneSample(
        align_pair(inspect_raster(paths[0]), inspect_raster(paths[1]), "before", ONE)
    )
    assert sample.nodata_shares() == (0, 0.5)
    assert sample.valid_at_both()[0].shape == (300, 1)


def test_a_match_reads_both_dates(tmp_path: Path) -> None:
    sample = SceneSample(pair_of(tmp_path, "uint8", NORTH_UP))
    assert sample.radiometry("joint", "histogram").match is not None
    assert sample.radiometry("joint", "none") == UNCHANGED
