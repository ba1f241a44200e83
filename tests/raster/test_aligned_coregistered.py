"""A coregistered pair: the warp reads one date with a shift."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from dated_scenes import ground, pair_of
from makers import NORTH_UP, make_raster, ramp

from geochange.grid.tiling import Window
from geochange.raster.bands import Bands
from geochange.raster.pair import align_pair
from geochange.raster.reader import inspect_raster
from geochange.raster.scene.coregistration import measure_shift
from geochange.raster.scene.sampling import SceneSample
from geochange.raster.warped_raster import WarpedRaster

ONE = Bands((1,), (1,))


def read(date: WarpedRaster, window: Window) -> tuple[np.ndarray, np.ndarray]:
    with date.reader() as reader:
        pixels, valid = reader(window)
    return pixels[..., 0], valid


def test_whole_pixels_are_put_back_exactly(tmp_path: Path) -> None:
    pixels = ground(80)
    pair = pair_of(tmp_path, pixels, np.roll(pixels, (3, -5), (0, 1))).coregistered((3, -5))
    inner = Window(10, 10, 60, 60)
    before, after = (read(date, inner)[0] for date in (pair.before, pair.after))
    np.testing.assert_array_equal(before, after)
    _, valid = read(pair.after, pair.grid.full_window)
    assert valid[:77, 5:].all() and not valid[77:].any() and not valid[:, :5].any()


def test_parts_of_pixels_are_put_back_along_a_slope(tmp_path: Path) -> None:
    off = NORTH_UP @ Affine.translation(-2.3, 1.4)  # objects lie up and to the right
    paths = [
        make_raster(tmp_path / f"{i}.tif", ramp((60, 70), placed))
        for i, placed in enumerate((NORTH_UP, off))
    ]
    pair = align_pair(inspect_raster(paths[0]), inspect_raster(paths[1]), "before", ONE)
    moved = pair.coregistered((-1.4, 2.3))
    inner = Window(10, 10, 40, 50)
    assert np.abs(read(pair.before, inner)[0] - read(pair.after, inner)[0]).max() > 0.5
    np.testing.assert_allclose(read(moved.before, inner)[0], read(moved.after, inner)[0], atol=2e-3)


@pytest.mark.parametrize("grid", ["before", "after"])
def test_the_date_that_is_resampled_anyway_is_moved(tmp_path: Path, grid: str) -> None:
    one = make_raster(tmp_path / "one.tif", ground(60).astype(np.uint8))
    turned = NORTH_UP @ Affine.rotation(3)
    two = make_raster(tmp_path / "two.tif", ground(60).astype(np.uint8), transform=turned)
    moved = align_pair(inspect_raster(one), inspect_raster(two), grid, ONE).coregistered((1.0, 0.5))
    if grid == "before":
        assert (moved.before.shift_px, moved.after.shift_px) == ((0, 0), (1.0, 0.5))
        assert moved.before.offset_px == (0, 0)
    else:
        assert (moved.before.shift_px, moved.after.shift_px) == ((-1.0, -0.5), (0, 0))


@pytest.mark.slow
def test_any_window_gives_the_same_pixels(tmp_path: Path) -> None:
    pixels = ground(700)
    pair = pair_of(tmp_path, pixels, pixels).coregistered((1.37, -0.61))
    whole, _ = read(pair.after, pair.grid.full_window)
    for window in (Window(0, 0, 90, 650), Window(500, 490, 60, 60), Window(333, 12, 1, 1)):
        np.testing.assert_array_equal(
            read(pair.after, window)[0], whole[window.within(pair.grid.full_window)]
        )
    part = pair.crop(Window(100, 200, 300, 300))
    assert part.after.shift_px == pair.after.shift_px


@pytest.mark.slow
def test_nothing_is_left_of_a_shift_that_was_put_back(tmp_path: Path) -> None:
    from dated_scenes import shifted_image

    pixels = ground(700)
    pair = pair_of(tmp_path, pixels, shifted_image(pixels, (1.4, -2.3)))
    found = measure_shift(SceneSample(pair))
    left = measure_shift(SceneSample(pair.coregistered((found.row_px, found.col_px))))
    assert left.length_px < 0.1
    assert not left.needs_correction
