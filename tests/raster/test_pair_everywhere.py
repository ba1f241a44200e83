"""Pairs at 180 degrees and over poles: each pixel shows the place that it shows in its own raster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from makers import make_raster
from numpy.typing import NDArray
from pyproj import CRS, Transformer

from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.reader import inspect_raster

PLACES = {
    # name: (CRS, x and y of the upper left corner, pixel, shape)
    "200": ("EPSG:4326", 200, 60, 0.01, (100, 100)),
    "-160": ("EPSG:4326", -160, 60, 0.01, (100, 100)),
    "-160, half a pixel": ("EPSG:4326", -160.005, 60.005, 0.01, (100, 100)),
    "NAD27 at -160": ("EPSG:4267", -160.0, 60, 0.01, (100, 100)),
    "179": ("EPSG:4326", 179, 60, 0.01, (200, 200)),
    "-181": ("EPSG:4326", -181, 60, 0.01, (200, 200)),
    "UTM 60": ("EPSG:32660", 600_000, 6_660_000, 1000, (200, 400)),
    "UTM 1": ("EPSG:32601", 200_000, 6_650_000, 1000, (150, 150)),
    "Pacific": ("EPSG:3832", 3_250_000, 8_350_000, 1000, (200, 200)),
    "web Mercator": ("EPSG:3857", 19_950_000, 8_300_000, 1000, (200, 200)),
    "world": ("EPSG:4326", -180, 90, 1, (180, 360)),
    "world from 0": ("EPSG:4326", 0, 90, 1, (180, 360)),
    "pole": ("EPSG:3413", -2e6, 2e6, 2e4, (200, 200)),
}

PAIRS = [
    # (before, after, whether nothing is resampled, the share of the grid that both show, tolerance)
    ("200", "-160", True, 1.0, 1e-4),
    ("-160", "200", True, 1.0, 1e-4),
    ("200", "-160, half a pixel", False, 0.98, 0.02),
    ("-160, half a pixel", "200", False, 0.98, 0.02),
    ("200", "NAD27 at -160", False, 0.97, 0.02),
    ("179", "-181", True, 1.0, 1e-4),
    ("-181", "UTM 60", False, 0.97, 0.02),
    ("UTM 60", "-181", False, 0.89, 0.02),
    ("UTM 1", "179", False, 0.75, 0.02),
    ("179", "Pacific", False, 0.96, 0.02),
    ("Pacific", "-181", False, 0.99, 0.02),
    ("web Mercator", "UTM 60", False, 0.97, 0.02),
    ("UTM 60", "web Mercator", False, 0.86, 0.02),
    ("179", "world", False, 1.0, 0.3),
    ("-181", "world from 0", False, 1.0, 0.3),
    ("world", "world from 0", False, 1.0, 1e-4),
    ("world from 0", "world", False, 1.0, 1e-4),
    ("pole", "world", False, 1.0, 3.0),
    ("pole", "world from 0", False, 1.0, 3.0),
    ("world from 0", "pole", False, 0.78, 3.0),
]


def shown(crs: CRS, transform: Affine, shape: tuple[int, int]) -> NDArray[np.float64]:
    """A number of each place on Earth, smooth over poles and 180 degrees, in the pixels of a grid."""
    rows, cols = np.indices(shape) + 0.5
    move = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform
    lon, lat = np.radians(move(*(transform @ (cols, rows))))
    x, y, z = np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)
    return np.asarray(100 + 40 * np.sin(5 * x) + 30 * np.cos(4 * y + 0.3) + 20 * np.sin(6 * z))


def make(folder: Path, name: str) -> Path:
    code, x, y, pixel, shape = PLACES[name]
    crs, transform = CRS.from_user_input(code), Affine(pixel, 0, x, 0, -pixel, y)
    pixels = shown(crs, transform, shape).astype(np.float32)
    return make_raster(folder / f"{name}.tif", pixels, crs, transform)


def pair_of(folder: Path, before: str, after: str) -> RasterPair:
    infos = [inspect_raster(str(make(folder, name))) for name in (before, after)]
    return align_pair(*infos, "before", Bands((1,), (1,)))


@pytest.mark.slow
@pytest.mark.parametrize(("before", "after", "same", "share", "off"), PAIRS)
def test_both_dates_show_one_ground(
    tmp_path: Path, before: str, after: str, same: bool, share: float, off: float
) -> None:
    pair = pair_of(tmp_path, before, after)
    assert (pair.after.offset_px is not None) == same
    expected = shown(pair.grid.crs, pair.grid.transform, pair.grid.shape)
    for date in (pair.before, pair.after):
        with date.reader() as read:
            pixels, valid = read(pair.grid.full_window)
        assert np.abs(pixels[..., 0] - expected)[valid].max() < off
    assert valid.mean() >= share


def test_a_part_thinned_out_shows_the_same_ground(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, "179", "UTM 60")
    shape = tuple(size // 10 for size in pair.grid.shape)
    coarse = Affine.scale(pair.grid.shape[1] / shape[1], pair.grid.shape[0] / shape[0])
    expected = shown(pair.grid.crs, pair.grid.transform @ coarse, shape)
    for date in (pair.before, pair.after):
        pixels, valid = date.read_thinned(pair.grid.full_window, shape)
        assert valid.mean() > 0.9
        assert np.abs(pixels[..., 0] - expected)[valid].max() < 0.2
