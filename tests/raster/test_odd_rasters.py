"""Every odd raster has the pixels that rasterio reads, and the missing pixels that its maker names."""

from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from numpy.typing import NDArray
from odd_rasters import ODD, REFUSED
from pyproj import CRS, Transformer
from rasterio.warp import reproject

from geochange.errors import InputError
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.raster.bands import check_bands
from geochange.raster.fingerprint import fingerprint_of
from geochange.raster.pictures.image import DRIVERS, read_picture
from geochange.raster.reader import RasterInfo, inspect_raster, opened
from geochange.raster.warped_raster import WarpedRaster

pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning")

WINDOWS = [Window(0, 0, 9, 11), Window(5, 3, 17, 13), Window(30, 20, 10, 16), Window(39, 35, 1, 1)]


@dataclass(frozen=True)
class Expected:
    """A raster, and the expected pixels of some bands: (height, width, band) and validity."""

    info: RasterInfo
    bands: tuple[int, ...]
    pixels: NDArray[Any]
    valid: NDArray[np.bool_]

    def date(self, warped: bool = False) -> WarpedRaster:
        """The raster on its own grid, through the warper if `warped`."""
        return WarpedRaster(self.info, self.bands, self.info.grid, None if warped else (0, 0))

    def assert_is(self, read: tuple[Any, Any], place: Any = ...) -> None:
        """Check validity, dtype and every bit of valid pixels."""
        pixels, valid = self.pixels[place], self.valid[place]
        np.testing.assert_array_equal(read[1], valid)
        assert read[0].dtype == pixels.dtype
        np.testing.assert_array_equal(read[0][valid], pixels[valid])
        assert not read[0][~valid].any()


@pytest.fixture(scope="module", params=ODD)
def odd(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """Each raster of the table in turn, its numbers read band by band by rasterio itself."""
    made = ODD[request.param](tmp_path_factory.mktemp("odd"))
    info = inspect_raster(made.path)
    bands = made.bands or info.data_bands
    with opened(made.path) as dataset:
        planes = [dataset.read(band) for band in bands]
    return Expected(info, bands, np.stack(planes, axis=-1), ~made.missing)


@pytest.mark.slow
def test_pixels_are_those_of_rasterio_whole_and_by_window(odd: Expected) -> None:
    with odd.date().reader() as read:
        odd.assert_is(read(odd.info.grid.full_window))
        for window in WINDOWS:
            odd.assert_is(read(window), window.within(odd.info.grid.full_window))


@pytest.mark.slow
def test_a_warp_onto_its_own_grid_changes_nothing(odd: Expected) -> None:
    """The warper gets missing pixels in another way; on the same grid the result must be equal."""
    with odd.date(warped=True).reader() as read:
        odd.assert_is(read(odd.info.grid.full_window))
        for window in WINDOWS:
            odd.assert_is(read(window), window.within(odd.info.grid.full_window))


@pytest.mark.slow
def test_nothing_missing_bleeds_into_a_warp(odd: Expected) -> None:
    """On a shifted grid, every pixel is a mean of its valid neighbours, however small their weight."""
    for shift in (0.5, 0.02):
        with replace(odd.date(warped=True), shift_px=(shift, shift)).reader() as read:
            assert_honest(odd, *read(odd.info.grid.full_window))


def assert_honest(odd: Expected, moved: NDArray[Any], seen: NDArray[np.bool_]) -> None:
    honest = odd.pixels[odd.valid].astype(np.float64)
    margin = np.abs(honest).max() * 1e-6 + 1
    assert moved[seen].min() >= honest.min() - margin
    assert moved[seen].max() <= honest.max() + margin
    inner = np.s_[:-1, :-1]  # nothing lies beyond the last row and column
    assert seen[inner][by_neighbours(odd.valid, np.logical_and)[inner]].all()
    assert not seen[inner][~by_neighbours(odd.valid, np.logical_or)[inner]].any()


def by_neighbours(valid: NDArray[np.bool_], combine: Any) -> NDArray[np.bool_]:
    """Whether all, or any, of a pixel and its neighbours are valid."""
    shifts = [(row, col) for row in (-1, 0, 1) for col in (-1, 0, 1)]
    return np.asarray(combine.reduce([np.roll(valid, shift, (0, 1)) for shift in shifts]))


@pytest.mark.slow
def test_another_crs_lacks_the_same_ground(odd: Expected) -> None:
    """A pixel is missing if the source pixel at its centre is missing, computed independently."""
    own, target = odd.info.grid, CRS.from_epsg(3035)
    there = Transformer.from_crs(own.crs, target, always_xy=True)
    left, bottom, right, top = there.transform_bounds(*own.footprint().bounds)
    transform = Affine((right - left) / 48, 0, left, 0, (bottom - top) / 50, top)
    nearest = np.zeros((50, 48), np.uint8)
    reproject(
        odd.valid.astype(np.uint8), nearest, src_transform=own.transform, dst_transform=transform,
        src_crs=own.crs.to_wkt(), dst_crs=target.to_wkt(), tolerance=0,
    )  # fmt: skip
    grid = Grid(target, transform, nearest.shape)
    with WarpedRaster(odd.info, odd.bands, grid, None).reader() as read:
        pixels, seen = read(grid.full_window)
    assert 0.3 < seen.mean() < 1
    assert seen[by_neighbours(nearest > 0, np.logical_and)].all()
    assert not seen[~by_neighbours(nearest > 0, np.logical_or)].any()
    assert not pixels[~seen].any()


@pytest.mark.slow
@pytest.mark.parametrize("warped", [False, True], ids=["aligned", "warped"])
def test_small_pictures_lack_the_same(odd: Expected, warped: bool) -> None:
    whole = odd.info.grid.full_window
    rows, cols = whole.height // 4, whole.width // 4
    small, seen = odd.date(warped).read_thinned(whole, (rows, cols))
    assert not small[~seen].any()
    blocks = odd.valid.reshape(rows, 4, cols, 4)
    assert seen[blocks.all(axis=(1, 3))].all()
    assert not seen[~blocks.any(axis=(1, 3))].any()


@pytest.mark.slow
def test_what_it_says_of_itself_travels_and_is_plain(odd: Expected) -> None:
    told = json.dumps(fingerprint_of(odd.info))
    packed = pickle.dumps(odd.info)
    assert json.dumps(fingerprint_of(pickle.loads(packed))) == told
    assert len(packed) < 6000


@pytest.mark.slow
def test_pictures_without_a_place_are_read_alike(odd: Expected) -> None:
    """Chips are single files: PNG, JPEG or TIFF, whose alpha is never compared."""
    path = Path(odd.info.path)
    if path.is_file() and odd.info.alpha not in odd.bands:
        with opened(str(path)) as dataset:
            is_chip = dataset.driver in DRIVERS
        if is_chip:
            odd.assert_is(read_picture(path, odd.bands))


def compare_all_bands(path: str) -> None:
    info = inspect_raster(path)
    check_bands(info, info.data_bands)


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_is_refused_says_why_in_one_line(name: str, tmp_path: Path) -> None:
    words, make = REFUSED[name]
    path = make(tmp_path)
    with pytest.raises(InputError) as caught:
        compare_all_bands(path)
    assert type(caught.value) is InputError
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
