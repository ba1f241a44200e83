"""Many files as one raster: the pixels of the whole, nodata in gaps, and one line for mismatches."""

from __future__ import annotations

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from makers import NORTH_UP, UTM, make_raster, noise
from pyproj import CRS
from tiff_damage import overwrite_tiles

from geochange.errors import InputError
from geochange.grid.tiling import Window
from geochange.raster.access import retry
from geochange.raster.access.unreadable_areas import UnreadableError
from geochange.raster.bands import Bands
from geochange.raster.fingerprint import files_of, fingerprint_of
from geochange.raster.pair import align_pair
from geochange.raster.reader import inspect_raster, opened
from geochange.raster.sources.tile_set import is_tileset, tiles_of

SIDE, ROWS, COLS = 20, 5, 7
WHOLE = Window(0, 0, SIDE * ROWS, SIDE * COLS)


def tile(folder: Path, pixels: np.ndarray, row: int, col: int, **profile: object) -> Path:
    here = pixels[row * SIDE : (row + 1) * SIDE, col * SIDE : (col + 1) * SIDE]
    corner = NORTH_UP @ Affine.translation(col * SIDE, row * SIDE)
    folder.mkdir(exist_ok=True)
    return make_raster(folder / f"t_{row}_{col}.tif", here, transform=corner, **profile)


def tiles(folder: Path, pixels: np.ndarray, gap: bool = False, **profile: object) -> str:
    for row in range(ROWS):
        for col in range(COLS):
            if not gap or (row, col) != (1, 2):
                tile(folder, pixels, row, col, **profile)
    return str(folder / "*.tif")


def read(path: str, band: int = 3) -> tuple[np.ndarray, np.ndarray]:
    info, numbers = inspect_raster(path), tuple(range(1, band + 1))
    date = align_pair(info, info, "before", Bands(numbers, numbers)).before
    with date.reader() as reader:
        return reader(WHOLE)


@pytest.mark.slow
def test_a_pattern_is_one_raster(tmp_path: Path) -> None:
    pixels = noise((SIDE * ROWS, SIDE * COLS, 3))
    path = tiles(tmp_path / "tiles", pixels)
    assert is_tileset(path)
    info = inspect_raster(path)
    assert (info.grid.shape, info.data_bands) == (pixels.shape[:2], (1, 2, 3))
    assert {band.mask for band in info.bands} == {None}
    assert info.grid.transform == NORTH_UP
    found, valid = read(path)
    np.testing.assert_array_equal(found, pixels)
    assert valid.all()


@pytest.mark.slow
@pytest.mark.parametrize("nodata", [None, 0, 255])
def test_where_no_tile_lies_there_is_no_data(tmp_path: Path, nodata: int | None) -> None:
    pixels = noise((SIDE * ROWS, SIDE * COLS, 3))
    found, valid = read(tiles(tmp_path / "tiles", pixels, gap=True, nodata=nodata))
    gap = np.zeros(valid.shape, bool)
    gap[SIDE : 2 * SIDE, 2 * SIDE : 3 * SIDE] = True
    np.testing.assert_array_equal(valid, ~gap)
    np.testing.assert_array_equal(found[~gap], pixels[~gap])


@pytest.mark.slow
def test_masks_and_alpha_of_tiles_count(tmp_path: Path) -> None:
    pixels = noise((SIDE * ROWS, SIDE * COLS, 4))
    pixels[..., 3] = 255
    pixels[5:9, 5:9, 3] = 0
    found, valid = read(tiles(tmp_path / "alpha", pixels, alpha=True))
    np.testing.assert_array_equal(valid, pixels[..., 3] > 0)
    np.testing.assert_array_equal(found[valid], pixels[valid][:, :3])
    assert not found[~valid].any()
    path = tiles(tmp_path / "masked", pixels[..., :3])
    tile(tmp_path / "masked", pixels[..., :3], 0, 0, mask=pixels[:SIDE, :SIDE, 3] > 0)
    np.testing.assert_array_equal(read(path)[1], pixels[..., 3] > 0)


def test_what_a_tile_lacks_does_not_cover_its_neighbour(tmp_path: Path) -> None:
    pixels = noise((SIDE, SIDE, 1))
    make_raster(tmp_path / "a.tif", pixels, nodata=0)
    right = NORTH_UP @ Affine.translation(SIDE // 2, 0)
    make_raster(tmp_path / "b.tif", np.zeros_like(pixels), transform=right, nodata=0)
    info = inspect_raster(str(tmp_path / "?.tif"))
    with opened(info.path) as dataset:
        np.testing.assert_array_equal(dataset.read(1)[:, :SIDE], pixels[..., 0])


@pytest.mark.slow
def test_an_index_names_its_tiles(tmp_path: Path) -> None:
    pixels = noise((SIDE * ROWS, SIDE * COLS, 3))
    tiles(tmp_path / "tiles", pixels)
    files = sorted((tmp_path / "tiles").iterdir())
    names = [str(file.relative_to(tmp_path)) for file in files]
    table = gpd.GeoDataFrame({"location": names}, geometry=[shapely.box(0, 0, 1, 1)] * 35, crs=UTM)
    table.to_file(tmp_path / "index.gti.gpkg")
    path = str(tmp_path / "index.gti.gpkg")
    assert tiles_of(path) == tiles_of(f"GTI:{path}") == [str(file) for file in files]
    np.testing.assert_array_equal(read(path)[0], pixels)
    (tmp_path / "index.gti").write_text(
        "<GDALTileIndexDataset><IndexDataset>index.gti.gpkg</IndexDataset></GDALTileIndexDataset>"
    )
    assert tiles_of(str(tmp_path / "index.gti")) == tiles_of(path)
    (tmp_path / "odd.gti").write_text(
        "<GDALTileIndexDataset><IndexDataset>a</IndexDataset><Filter>x</Filter></GDALTileIndexDataset>"
    )
    with pytest.raises(InputError, match="uses Filter"):
        tiles_of(str(tmp_path / "odd.gti"))
    with pytest.raises(InputError, match="no field 'location'"):
        inspect_raster(write_plain(tmp_path))
    with pytest.raises(InputError, match="not a readable tile index"):
        inspect_raster("GTI:" + str(files[0]))


def write_plain(folder: Path) -> str:
    table = gpd.GeoDataFrame({"name": ["a"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=UTM)
    table.to_file(folder / "plain.gpkg")
    return f"GTI:{folder / 'plain.gpkg'}"


@pytest.mark.slow
def test_a_tile_that_cannot_be_read_is_no_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry, "sleep", lambda pause_s: None)
    pixels = noise((SIDE * ROWS, SIDE * COLS, 3))
    profile = {"compress": "deflate", "tiled": True, "blockxsize": 16, "blockysize": 16}
    path = tiles(tmp_path / "tiles", pixels, **profile)
    info = inspect_raster(path)
    date = align_pair(info, info, "before", Bands((1,), (1,))).before
    overwrite_tiles(tmp_path / "tiles" / "t_2_3.tif", (0, 0))
    with date.reader() as reader, pytest.raises(UnreadableError, match="cannot be read"):
        reader(Window(2 * SIDE, 3 * SIDE, SIDE, SIDE))
    (tmp_path / "tiles" / "t_4_4.tif").unlink()
    with date.reader() as reader, pytest.raises(UnreadableError, match="cannot be read"):
        reader(Window(4 * SIDE, 4 * SIDE, SIDE, SIDE))


@pytest.mark.slow
def test_identity_sees_every_tile_and_new_ones(tmp_path: Path) -> None:
    pixels = noise((SIDE * ROWS, SIDE * COLS, 3))
    info = inspect_raster(tiles(tmp_path / "tiles", pixels))
    assert info.files == ()
    assert len(files_of(info)) == 36
    was = fingerprint_of(info)
    touched = tmp_path / "tiles" / "t_2_3.tif"
    os.utime(touched, ns=(1, 1))
    assert fingerprint_of(info) != was
    was = fingerprint_of(info)
    make_raster(tmp_path / "tiles" / "t_9.tif", pixels[:SIDE, :SIDE])
    assert fingerprint_of(info) != was


BESIDE = NORTH_UP @ Affine.translation(9, 0)

MISFITS = {
    "CRS": {"crs": CRS.from_epsg(32633)},
    "type uint16": {"dtype": "uint16", "transform": BESIDE},
    "nodata 7": {"nodata": 7, "transform": BESIDE},
    "another size": {"transform": NORTH_UP @ Affine.scale(2)},
    "0.50 px right": {"transform": BESIDE @ Affine.translation(0.5, 0)},
    "too far apart": {"transform": NORTH_UP @ Affine.translation(3e9, 0)},
}


@pytest.mark.parametrize("said", MISFITS)
def test_misfits_are_named(tmp_path: Path, said: str) -> None:
    make_raster(tmp_path / "a.tif", noise((8, 9, 3)))
    options = dict(MISFITS[said])
    pixels = noise((8, 9, 3)).astype(str(options.pop("dtype", "uint8")))
    make_raster(tmp_path / "b.tif", pixels, **options)
    with pytest.raises(InputError, match=said) as refused:
        inspect_raster(str(tmp_path / "*.tif"))
    assert ".tif" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_fewer_bands_and_no_raster_at_all(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", noise((8, 9, 3)))
    make_raster(tmp_path / "b.tif", noise((8, 9, 1)), transform=BESIDE)
    with pytest.raises(InputError, match="bands 1"):
        inspect_raster(str(tmp_path / "*.tif"))
    (tmp_path / "b.tif").write_text("no raster")
    with pytest.raises(InputError, match=r"b\.tif: not a raster"):
        inspect_raster(str(tmp_path / "*.tif"))
    with pytest.raises(InputError, match="no file has such a name"):
        inspect_raster(str(tmp_path / "*.jp2"))


def test_a_file_with_brackets_in_its_name_is_itself(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a[1].tif", noise((8, 9, 3)))
    assert not is_tileset(str(path))
    assert inspect_raster(path).grid.shape == (8, 9)
    assert not is_tileset("https://host/a.tif?x=[1]")


@pytest.mark.parametrize("folder", ["a[1]", "a*b", "a?", "a[1]/b*"])
def test_signs_in_the_name_of_a_folder_that_is_there_are_no_pattern(
    tmp_path: Path, folder: str
) -> None:
    place = tmp_path / folder
    place.mkdir(parents=True)
    (tmp_path / "a1").mkdir()  # such a folder would match as a pattern
    for name in ("x.tif", "y.tif"):
        (place / name).touch()
        (tmp_path / "a1" / name).touch()
    assert tiles_of(str(place / "*.tif")) == [str(place / "x.tif"), str(place / "y.tif")]
    assert is_tileset(str(place / "[xy].tif")) and not is_tileset(str(place / "gone.tif"))
    assert len(tiles_of(str(tmp_path / "a[0-9]" / "*.tif"))) == 2, "no such folder: a pattern"
    assert len(tiles_of(str(tmp_path / "**" / "x.tif"))) == 2


def test_an_index_is_known_by_its_name_unless_a_file_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_tileset("GTI:index.gpkg") and is_tileset("a.gti") and is_tileset("a.gti.fgb")
    (tmp_path / "GTI:a.tif").touch()
    assert not is_tileset("GTI:a.tif") and not is_tileset("a.gti.tif")


@pytest.mark.slow
def test_opening_holds_few_sources_at_a_time(tmp_path: Path) -> None:
    pixels = noise((SIDE * ROWS, SIDE * COLS, 1))
    path = tiles(tmp_path / "tiles", pixels)
    with opened(path) as dataset, rasterio.open(dataset.name) as again:
        assert len(again.files) - 1 < ROWS * COLS / 2
