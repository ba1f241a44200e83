"""Unreadable pixels are invalid, never zeros, and cover the same area for every window."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from makers import NORTH_UP, make_raster, noise
from rasterio.errors import RasterioIOError
from tiff_damage import overwrite_tiles, truncate_in_tile

from geochange.errors import RunError
from geochange.grid.tiling import Window
from geochange.raster.access import retry
from geochange.raster.access.unreadable_areas import (
    UnreadableAreas,
    UnreadableError,
    merge_windows,
    summarise,
)
from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.reader import inspect_raster
from geochange.raster.warped_raster import WarpedRaster

SHAPE = (160, 192)
TILE = 32
BAD = (2, 3)
"""The damaged tile."""
GROUND = Window(BAD[0] * TILE, BAD[1] * TILE, TILE, TILE)
RGB = Bands((1, 2, 3), (1, 2, 3))
TILED = {"tiled": True, "blockxsize": TILE, "blockysize": TILE}
SHIFTED = NORTH_UP @ Affine.translation(-5, -7)
WARPED = NORTH_UP @ Affine.translation(-1.5, -1.5)


@pytest.fixture(autouse=True)
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The recorded pauses; nothing sleeps."""
    slept: list[float] = []
    monkeypatch.setattr(retry, "sleep", slept.append)
    return slept


def pair_of(folder: Path, transform: Affine = NORTH_UP, **profile: Any) -> RasterPair:
    """A pair whose date after has this transform; both are intact."""
    before = make_raster(folder / "before.tif", noise((*SHAPE, 3), 1))
    pixels = noise((SHAPE[0] + 8, SHAPE[1] + 8, 3), 2)
    after = make_raster(folder / "after.tif", pixels, transform=transform, **{**TILED, **profile})
    return align_pair(inspect_raster(before), inspect_raster(after), "before", RGB)


def whole_of(date: WarpedRaster) -> tuple[np.ndarray, np.ndarray]:
    with date.reader() as read:
        return read(date.grid.full_window)


def by_windows(date: WarpedRaster, side: int, lost: set[Window]) -> tuple[np.ndarray, np.ndarray]:
    """All pixels, read in windows of `side`."""
    height, width = date.grid.shape
    pixels = np.zeros((height, width, len(date.bands)), date.dtype)
    valid = np.zeros((height, width), bool)
    with date.reader(lost) as read:
        for row in range(0, height, side):
            for col in range(0, width, side):
                place = np.s_[row : row + side, col : col + side]
                shape = valid[place].shape
                pixels[place], valid[place] = read(Window(row, col, *shape))
    return pixels, valid


def outside(window: Window) -> np.ndarray:
    kept = np.ones(SHAPE, bool)
    kept[window.within(Window(0, 0, *SHAPE))] = False
    return kept


DAMAGE: dict[str, tuple[dict[str, Any], Callable[..., Path]]] = {
    "deflate": ({"compress": "deflate"}, overwrite_tiles),
    "lzw": ({"compress": "lzw"}, overwrite_tiles),
    "jpeg": ({"compress": "jpeg"}, overwrite_tiles),
    "bands apart": ({"compress": "deflate", "interleave": "band"}, overwrite_tiles),
    "cut off, raw": ({}, truncate_in_tile),
    "cut off, deflate": ({"compress": "deflate"}, truncate_in_tile),
    "cut off, jpeg": ({"compress": "jpeg"}, truncate_in_tile),
}
damaged = pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())


@pytest.mark.slow
@damaged
def test_a_bad_tile_is_lost_and_nothing_else(
    tmp_path: Path, damage: tuple[dict[str, Any], Callable[..., Path]]
) -> None:
    profile, do = damage
    date = pair_of(tmp_path, **profile).after
    sound, _ = whole_of(date)
    do(Path(date.info.path), BAD)
    for side in (20, 64, 500):
        lost = set[Window]()
        pixels, valid = by_windows(date, side, lost)
        assert lost == {GROUND}
        np.testing.assert_array_equal(valid, outside(GROUND))
        np.testing.assert_array_equal(pixels[valid], sound[valid])


def test_of_a_shifted_raster_its_own_tiles_are_lost(tmp_path: Path) -> None:
    date = pair_of(tmp_path, SHIFTED, compress="deflate").after
    assert date.offset_px == (-7, -5)
    overwrite_tiles(Path(date.info.path), BAD, (0, 0))
    lost = set[Window]()
    _, valid = by_windows(date, 50, lost)
    rim = Window(0, 0, TILE - 7, TILE - 5)
    assert lost == {GROUND.moved(-7, -5), rim}
    np.testing.assert_array_equal(valid, outside(GROUND.moved(-7, -5)) & outside(rim))


@pytest.mark.slow
def test_of_a_warped_raster_cells_of_the_warp_are_lost(tmp_path: Path) -> None:
    before = make_raster(tmp_path / "before.tif", noise((1060, 1100)))
    profile = {"transform": WARPED, **TILED, "compress": "deflate"}
    after = make_raster(tmp_path / "after.tif", noise((1068, 1108), 2), **profile)
    date = align_pair(
        inspect_raster(before), inspect_raster(after), "before", Bands((1,), (1,))
    ).after
    assert date.offset_px is None
    sound, was_valid = whole_of(date)
    overwrite_tiles(after, (20, 31))
    lost = set[Window]()
    pixels, valid = by_windows(date, 2000, lost)
    assert lost == {Window(512, 512, 512, 512)}
    expected = was_valid.copy()
    expected[512:1024, 512:1024] = False
    np.testing.assert_array_equal(valid, expected)
    np.testing.assert_array_equal(pixels[valid], sound[valid])
    for side in (300, 700):
        others = set[Window]()
        again, still = by_windows(date, side, others)
        assert others == lost
        np.testing.assert_array_equal(still, valid)
        np.testing.assert_array_equal(again, pixels)


@pytest.mark.slow
@pytest.mark.parametrize("internal", [True, False], ids=["inside", ".msk"])
def test_a_bad_tile_under_a_mask(tmp_path: Path, internal: bool) -> None:
    mask = np.ones((SHAPE[0] + 8, SHAPE[1] + 8), bool)
    mask[:9] = False
    profile = {"compress": "deflate", "mask": mask, "internal_mask": internal}
    date = pair_of(tmp_path, **profile).after
    assert date.info.blurred
    overwrite_tiles(Path(date.info.path), BAD)
    for side in (20, 64, 500):
        lost = set[Window]()
        _, valid = by_windows(date, side, lost)
        assert lost == {GROUND}
        np.testing.assert_array_equal(valid, outside(GROUND) & mask[: SHAPE[0], : SHAPE[1]])


@pytest.mark.slow
def test_a_mosaic_loses_the_same_ground_from_every_window(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, compress="deflate")
    height, width = pair.after.info.grid.shape
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource><SourceFilename '
        f'relativeToVRT="1">after.tif</SourceFilename><SourceBand>{band}</SourceBand>'
        "</SimpleSource></VRTRasterBand>"
        for band in (1, 2, 3)
    )
    (tmp_path / "mosaic.vrt").write_text(
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><SRS>EPSG:32632</SRS>'
        f"<GeoTransform>500000, 10, 0, 5000000, 0, -10</GeoTransform>{bands}</VRTDataset>"
    )
    date = align_pair(
        pair.before.info, inspect_raster(tmp_path / "mosaic.vrt"), "before", RGB
    ).after
    overwrite_tiles(tmp_path / "after.tif", BAD)
    answers = []
    for side in (20, 64, 500):
        lost = set[Window]()
        answers.append((by_windows(date, side, lost)[1], lost))
    for valid, lost in answers:
        assert lost == answers[0][1] and lost
        np.testing.assert_array_equal(valid, answers[0][0])
        assert not valid[GROUND.within(date.grid.full_window)].any()


def test_without_leave_to_lose_it_is_an_error_that_names_all(tmp_path: Path) -> None:
    date = pair_of(tmp_path, SHIFTED, compress="deflate").after
    overwrite_tiles(Path(date.info.path), BAD, (2, 4))
    line = (
        r"after\.tif: pixels of rows 64-95, columns 96-159 cannot be read "
        r"\(rows 57-88, columns 91-154 of the run's grid, around 501230 4999270 in WGS 84 / UTM"
    )
    with date.reader() as read, pytest.raises(UnreadableError, match=line) as caught:
        read(date.grid.full_window)
    assert "\n" not in str(caught.value)


def test_what_fails_is_tried_again_after_a_pause_from_the_file_opened_afresh(
    tmp_path: Path, naps: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    date = pair_of(tmp_path, compress="deflate").after
    path = Path(date.info.path)
    sound = path.read_bytes()
    overwrite_tiles(path, BAD)

    def sleep(pause_s: float) -> None:
        naps.append(pause_s)
        if len(naps) == 2:  # the disk is available again
            path.write_bytes(sound)

    monkeypatch.setattr(retry, "sleep", sleep)
    lost = set[Window]()
    with date.reader(lost) as read:
        pixels, valid = read(date.grid.full_window)
    assert naps == list(retry.PAUSES_S)
    assert valid.all() and not lost
    np.testing.assert_array_equal(pixels, noise((SHAPE[0] + 8, SHAPE[1] + 8, 3), 2)[:160, :192])


def test_a_file_that_went_away_is_a_fault_of_the_run(tmp_path: Path) -> None:
    date = pair_of(tmp_path).after
    Path(date.info.path).unlink()
    with pytest.raises(RunError, match=r"no such file; .* when the run began"), date.reader(set()):
        pass


def test_a_handle_gives_up_after_its_tries(naps: list[float]) -> None:
    class Raster:
        def __enter__(self) -> Raster:
            opened.append(self)
            return self

        def close(self) -> None:
            shut.append(self)

        def __exit__(self, *_: object) -> None:
            closed.append(self)

    def fail(raster: Raster) -> None:
        read_from.append(raster)
        raise RasterioIOError("no")

    opened: list[Raster] = []
    closed: list[Raster] = []
    shut: list[Raster] = []
    read_from: list[Raster] = []
    with retry.Handle(Raster) as handle:
        assert isinstance(retry.retry_read(handle, fail), RasterioIOError)
    assert len(read_from) == retry.TRIES == len(opened) == len(closed)
    assert read_from == opened == closed
    assert shut == opened[:-1]  # a failed raster is not reused
    assert naps == list(retry.PAUSES_S)


def test_the_error_travels_between_processes() -> None:
    error = UnreadableError("a.tif: gone", UnreadableAreas((Window(1, 2, 3, 4),)))
    copy = pickle.loads(pickle.dumps(error))
    assert str(copy) == "a.tif: gone"
    assert copy.unreadable == error.unreadable


@pytest.mark.slow
@given(st.sets(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_merged_windows_are_the_same_ground_once(cells: set[tuple[int, int]]) -> None:
    windows = merge_windows(Window(row * 3, col * 4, 3, 4) for row, col in cells)
    count = np.zeros((18, 24), int)
    for window in windows:
        count[window.within(Window(0, 0, 18, 24))] += 1
    expected = np.zeros((6, 6), int)
    for cell in cells:
        expected[cell] = 1
    np.testing.assert_array_equal(count, np.kron(expected, np.ones((3, 4), int)))
    assert len(windows) <= len(cells)


def test_json_and_back() -> None:
    unreadable = UnreadableAreas((Window(1, 2, 3, 4),), (Window(0, 0, 1, 1), Window(5, 6, 7, 8)))
    assert UnreadableAreas.from_json(unreadable.to_json()) == unreadable
    assert unreadable | unreadable == unreadable
    assert not UnreadableAreas()


def test_many_places_are_counted() -> None:
    assert summarise(["a", "b", "c"]) == "a; b; c"
    assert summarise(["a", "b", "c", "d", "e"]) == "a; b; c (and 2 more places)"
