"""Reading rasters: metadata, missing pixels and refused files."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from makers import NORTH_UP, UTM, make_raster, noise
from pyproj import CRS

from geochange.errors import InputError
from geochange.grid.tiling import Window
from geochange.raster.band_metadata import BandInfo
from geochange.raster.pixel_reader import read_window
from geochange.raster.reader import inspect_raster, opened

SHAPE = (6, 8)
WHOLE = Window(0, 0, *SHAPE)


def read_all(path: Path, bands: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    info = inspect_raster(path)
    with opened(str(path)) as dataset:
        return read_window(dataset, info, bands, WHOLE)


def test_inspect_says_what_is_there(tmp_path: Path) -> None:
    pixels = noise((*SHAPE, 3), dtype=np.uint16)
    path = make_raster(tmp_path / "a.tif", pixels, nodata=7)
    info = inspect_raster(path)
    assert info.path == str(path)
    assert info.grid.crs == UTM
    assert info.grid.transform == NORTH_UP
    assert info.grid.shape == SHAPE
    assert info.bands == (BandInfo(np.dtype("uint16"), 7),) * 3
    assert (info.data_bands, info.alpha, info.overviews) == ((1, 2, 3), None, ())
    assert info.files == (str(path),)


def test_alpha_is_no_band_of_data(tmp_path: Path) -> None:
    info = inspect_raster(make_raster(tmp_path / "a.tif", noise((*SHAPE, 4)), alpha=True))
    assert (info.data_bands, info.alpha) == ((1, 2, 3), 4)


@pytest.mark.parametrize("internal", [True, False], ids=["inside", ".msk"])
def test_a_mask_of_its_own_is_seen(tmp_path: Path, internal: bool) -> None:
    mask = np.ones(SHAPE, bool)
    path = make_raster(tmp_path / "a.tif", noise(SHAPE), mask=mask, internal_mask=internal)
    assert path.with_suffix(".tif.msk").exists() is not internal
    assert [band.mask for band in inspect_raster(path).bands] == [1]


def test_overviews_are_listed(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise((64, 64)))
    with rasterio.open(path, "r+") as raster:
        raster.build_overviews([2, 4])
    assert inspect_raster(path).overviews == (2, 4)


def test_pixels_come_in_the_order_of_the_bands_asked_for(tmp_path: Path) -> None:
    pixels = noise((*SHAPE, 3))
    path = make_raster(tmp_path / "a.tif", pixels)
    info = inspect_raster(path)
    with opened(str(path)) as dataset:
        read, valid = read_window(dataset, info, (3, 1, 1), Window(1, 2, 4, 5))
    np.testing.assert_array_equal(read, pixels[1:5, 2:7][..., [2, 0, 0]])
    assert read.dtype == np.uint8
    assert valid.all()


@pytest.mark.parametrize(
    ("dtype", "nodata", "one_band_is_enough"),
    [
        ("uint8", 0, False),
        ("uint8", 255, False),
        ("uint16", 0, False),
        ("int16", -9999, True),
        ("float32", -3.4028234663852886e38, True),
        ("float64", -9999, True),
        ("float32", 0.1, True),
    ],
)
def test_nodata_in_one_band_or_in_all(
    tmp_path: Path, dtype: str, nodata: float, one_band_is_enough: bool
) -> None:
    pixels = noise((*SHAPE, 2), dtype=dtype)
    pixels[0, 0] = nodata
    pixels[1, 1, 0] = nodata
    _, valid = read_all(make_raster(tmp_path / "a.tif", pixels, nodata=nodata), (1, 2))
    expected = np.ones(SHAPE, bool)
    expected[0, 0] = False
    expected[1, 1] = not one_band_is_enough
    np.testing.assert_array_equal(valid, expected)


@pytest.mark.parametrize("nodata", [None, float("nan"), -9999])
def test_nan_in_one_band_is_missing_whatever_nodata_says(
    tmp_path: Path, nodata: float | None
) -> None:
    pixels = noise((*SHAPE, 2), dtype=np.float32)
    pixels[2, 3, 1], pixels[4, 4, 0] = np.nan, np.inf
    _, valid = read_all(make_raster(tmp_path / "a.tif", pixels, nodata=nodata), (1, 2))
    assert np.argwhere(~valid).tolist() == [[2, 3], [4, 4]]


def test_only_the_bands_in_use_decide(tmp_path: Path) -> None:
    pixels = noise((*SHAPE, 2), dtype=np.int16)
    pixels[0, 0, 1] = -9999
    path = make_raster(tmp_path / "a.tif", pixels, nodata=-9999)
    assert read_all(path, (1,))[1].all()
    assert not read_all(path, (2,))[1][0, 0]


def test_alpha_decides(tmp_path: Path) -> None:
    pixels = noise((*SHAPE, 4))
    pixels[..., 3] = 255
    pixels[0, :3, 3] = 0, 1, 254
    path = make_raster(tmp_path / "a.tif", pixels, alpha=True)
    _, valid = read_all(path, (1, 2, 3))
    assert np.argwhere(~valid).tolist() == [[0, 0]]
    assert read_all(path, (4,))[1].all()


@pytest.mark.parametrize("internal", [True, False], ids=["inside", ".msk"])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_mask_and_nodata_both_decide(tmp_path: Path, dtype: str, internal: bool) -> None:
    pixels = noise((*SHAPE, 2), dtype=dtype)
    mask = np.ones(SHAPE, bool)
    mask[3, 4:] = False
    path = make_raster(tmp_path / "a.tif", pixels, mask=mask, internal_mask=internal)
    np.testing.assert_array_equal(read_all(path, (2,))[1], mask)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def text(path: Path) -> None:
    path.write_text("this is a letter, not a raster\n")


def missing(path: Path) -> None:
    path.unlink(missing_ok=True)


def truncated(path: Path) -> None:
    make_raster(path, noise((64, 64, 3), seed=1))
    path.write_bytes(path.read_bytes()[:-2000])


def header_only(path: Path) -> None:
    make_raster(path, noise((64, 64, 3), seed=1))
    path.write_bytes(path.read_bytes()[:100])


def without_crs(path: Path) -> None:
    make_raster(path, noise(SHAPE), crs=None, transform=NORTH_UP)


def without_transform(path: Path) -> None:
    make_raster(path, noise(SHAPE), transform=Affine.identity())


def in_a_building(path: Path) -> None:
    local = 'LOCAL_CS["building 7",UNIT["metre",1],AXIS["x",EAST],AXIS["y",NORTH]]'
    make_raster(path, noise(SHAPE), crs=CRS.from_wkt(local))


def complex_numbers(path: Path) -> None:
    make_raster(path, noise(SHAPE).astype(np.complex64))


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (empty, "the file is empty; fetch or export it again"),
        (text, "not a raster GDAL can read; give a GeoTIFF"),
        (missing, "no such file; check the path"),
        (truncated, r"damaged or cut off, pixel \(row 63, col 63\) cannot be read; fetch it again"),
        (header_only, "not a raster GDAL can read|damaged or cut off"),
        (without_crs, "has no georeference; give it a CRS and a transform first"),
        (without_transform, "has no georeference; give it a CRS and a transform first"),
        (in_a_building, "is not tied to the Earth; assign a real one|has no georeference"),
        (complex_numbers, "holds complex numbers; export its amplitude first"),
    ],
)
@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_what_cannot_be_used_is_one_line_with_its_cure(
    tmp_path: Path, damage: Callable[[Path], Any], line: str
) -> None:
    path = tmp_path / "scene.tif"
    damage(path)
    with pytest.raises(InputError, match=line) as caught:
        inspect_raster(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_raster(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder; name the raster in it"):
        inspect_raster(tmp_path)


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_a_container_of_subdatasets_is_refused_with_their_number(tmp_path: Path) -> None:
    path = tmp_path / "two.gpkg"
    for table in ("one", "two"):
        make_raster(
            path, noise((*SHAPE, 3)), driver="GPKG", raster_table=table, append_subdataset=True
        )
    with pytest.raises(InputError, match="holds no band of its own; name one of its 2 subdatasets"):
        inspect_raster(path)


def test_any_format_of_gdal_is_a_raster(tmp_path: Path) -> None:
    pixels = noise(SHAPE)
    path = make_raster(tmp_path / "a.img", pixels, driver="HFA")
    np.testing.assert_array_equal(read_all(path, (1,))[0][..., 0], pixels)


def test_a_name_with_spaces_and_letters_beyond_ascii(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "Grünland 2024.tif", noise(SHAPE))
    moved = shutil.copy(path, tmp_path / "日本 (1).tif")
    assert inspect_raster(moved).grid == inspect_raster(path).grid


def test_a_file_cut_off_behind_its_first_band_is_refused(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "cut.tif", noise((300, 300, 3)), interleave="band")
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 8 // 10])
    with pytest.raises(InputError, match="cut off"):
        inspect_raster(path)


@pytest.mark.slow
def test_a_png_cut_off_is_refused_not_read_as_other_pixels(tmp_path: Path) -> None:
    pixels = (np.indices((600, 500)).sum(0) % 200)[..., None].repeat(3, 2).astype(np.uint8)
    path = make_raster(tmp_path / "a.png", pixels + noise((600, 500, 3)) // 20, driver="PNG")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match="damaged or cut off"):
        inspect_raster(path)


def test_blocks_are_those_of_all_bands(tmp_path: Path) -> None:
    tiled = make_raster(
        tmp_path / "a.tif", noise((70, 90)), tiled=True, blockxsize=32, blockysize=16
    )
    strips = make_raster(tmp_path / "b.tif", noise((70, 90)), blockysize=8)
    assert (inspect_raster(tiled).block_px, inspect_raster(tiled).blurred) == ((16, 32), False)
    assert inspect_raster(strips).block_px == (8, 90)


def test_the_cure_for_a_palette_keeps_what_holds_no_data(tmp_path: Path) -> None:
    """What `gdal_translate -expand rgba` makes: alpha is 0 where the number was nodata.

    `-expand rgb` drops the nodata value, and missing pixels would become black ones.
    """
    numbers = (noise(SHAPE) % 3).astype(np.uint8)
    colours = {0: (0, 0, 0, 255), 1: (0, 255, 0, 255), 2: (9, 9, 9, 255)}
    path = make_raster(tmp_path / "a.tif", numbers, nodata=0)
    with rasterio.open(path, "r+") as raster:
        raster.write_colormap(1, colours)
    with pytest.raises(InputError, match=r"expand it first \(gdal_translate -expand rgba\)"):
        inspect_raster(path)
    table = np.array([colours[number] for number in range(3)], np.uint8)
    table[0, 3] = 0
    expanded = make_raster(tmp_path / "b.tif", table[numbers], alpha=True)
    pixels, valid = read_all(expanded, (1, 2, 3))
    np.testing.assert_array_equal(valid, numbers != 0)
    np.testing.assert_array_equal(pixels[valid], table[numbers][valid][:, :3])


def test_a_geocentric_crs_is_refused_with_its_cure(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.tif", noise((8, 9)), crs=CRS.from_epsg(4978))
    with pytest.raises(InputError, match=r"is geocentric.*gdalwarp"):
        inspect_raster(path)
