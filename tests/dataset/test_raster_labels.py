"""Rasters of labels on a pair's grid: every format and every CRS gives the same mask."""

from __future__ import annotations

import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from label_files import MASK, SHAPE, TIFFS, grey, layers, palette
from makers import NORTH_UP, make_raster
from polygon_files import grid_of
from rasterio.vrt import WarpedVRT

from geochange.dataset.labels import holds_change, open_labels
from geochange.dataset.raster_labels import RasterLabels
from geochange.errors import InputError, RunError
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window

GRID = grid_of(SHAPE)
SHIFTED = grid_of(SHAPE, NORTH_UP @ Affine.translation(0.4, -0.3))
"""The offset is less than half a pixel, so the nearest pixel is the same."""


def read(path: object, grid: Grid = GRID) -> np.ndarray:
    with open_labels(path, grid).reader() as reader:  # type: ignore[arg-type]
        return reader(grid.full_window)


@pytest.mark.parametrize("name", TIFFS)
def test_a_label_is_the_same_mask_however_it_was_saved(tmp_path: Path, name: str) -> None:
    path = TIFFS[name](tmp_path / "labels.tif")
    np.testing.assert_array_equal(read(path), MASK)


@pytest.mark.parametrize("name", TIFFS)
def test_it_stays_the_same_where_it_must_be_warped(tmp_path: Path, name: str) -> None:
    path = TIFFS[name](tmp_path / "labels.tif")
    np.testing.assert_array_equal(read(path, SHIFTED)[1:-1, 1:-1], MASK[1:-1, 1:-1])


@pytest.mark.parametrize("grid", [GRID, SHIFTED], ids=["in place", "warped"])
def test_what_a_label_does_not_cover_is_unknown_though_the_rest_is_none(
    tmp_path: Path, grid: Grid
) -> None:
    drawn = layers(*[MASK * np.uint8(255)] * 4, alpha=True)(tmp_path / "drawn.tif")
    with rasterio.open(drawn) as raster:
        half = raster.read()[:, :, :20]
    path = make_raster(tmp_path / "half.tif", np.moveaxis(half, 0, -1), alpha=True)
    label = read(path, grid)
    np.testing.assert_array_equal(label[1:-1, 1:19], MASK[1:-1, 1:19])
    assert (label[1:-1, 21:] == 255).all()


@pytest.mark.parametrize(("driver", "suffix"), [("PNG", "png"), ("JPEG", "jpg"), ("HFA", "img")])
def test_other_formats_are_labels_too(tmp_path: Path, driver: str, suffix: str) -> None:
    path = TIFFS["0 and 255"](tmp_path / "a.tif")
    rasterio.shutil.copy(path, tmp_path / f"labels.{suffix}", driver=driver)
    np.testing.assert_array_equal(read(tmp_path / f"labels.{suffix}"), MASK)


def test_a_zipped_label_and_a_tile_set_of_labels(tmp_path: Path) -> None:
    path = TIFFS["palette green"](tmp_path / "labels.tif")
    with zipfile.ZipFile(tmp_path / "labels.zip", "w") as archive:
        archive.write(path, "in/labels.tif")
    np.testing.assert_array_equal(read(tmp_path / "labels.zip"), MASK)
    for part in range(2):
        corner = NORTH_UP @ Affine.translation(20 * part, 0)
        here = MASK[:, 20 * part : 20 * part + 20]
        make_raster(tmp_path / f"tile [{part}].tif", here, transform=corner)
    np.testing.assert_array_equal(read(str(tmp_path / "tile*.tif")), MASK)


WORDS = {
    "JPEG in TIFF": "labels were saved with loss",
    "palette turned": "labels are drawn dark on light",
    "1 bit, 0 white": "labels are drawn dark on light",
    "only change, nodata": "labels hold only change",
    "drawn on transparent ground": "labels hold only change",
}


@pytest.mark.parametrize("name", WORDS)
def test_what_may_be_meant_otherwise_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path = TIFFS[name](tmp_path / "labels.tif")
    open_labels(path, GRID)
    assert f"{path}: {WORDS[name]}" in caplog.text
    assert len(caplog.records) == 1


def test_no_change_is_seen_wherever_change_would_be(tmp_path: Path) -> None:
    assert holds_change(open_labels(TIFFS["0 and 1"](tmp_path / "a.tif"), GRID))
    assert not holds_change(open_labels(make_raster(tmp_path / "b.tif", MASK * 0), GRID))
    beyond = grid_of((4, 5))
    assert not holds_change(open_labels(tmp_path / "a.tif", beyond))


def test_colours_are_refused_and_their_palette_is_read(tmp_path: Path) -> None:
    green = np.zeros((*SHAPE, 3), np.uint8)
    green[MASK == 1] = (0, 255, 0)
    path = make_raster(tmp_path / "expanded.tif", green)
    with pytest.raises(
        InputError, match=r"3 bands that differ, .*a palette is read by its numbers"
    ):
        open_labels(path, GRID)
    colours = {0: (0, 0, 0, 255), 1: (0, 255, 0, 255)}
    np.testing.assert_array_equal(read(palette(colours)(tmp_path / "palette.tif")), MASK)


@pytest.mark.parametrize("number", [1, 255])
def test_a_nodata_value_that_is_change_is_named(tmp_path: Path, number: int) -> None:
    path = grey(number, "uint8", nodata=number)(tmp_path / "labels.tif")
    with pytest.raises(InputError, match=rf"its nodata value {number} may mean change"):
        open_labels(path, GRID)
    with rasterio.open(path) as raster, WarpedVRT(raster, nodata=2) as warped:
        rasterio.shutil.copy(
            warped, tmp_path / "other.tif", driver="GTiff"
        )  # gdalwarp -dstnodata 2
    np.testing.assert_array_equal(read(tmp_path / "other.tif"), MASK * np.uint8(255))
    with rasterio.open(path, "r+") as raster:  # gdal_edit.py -unsetnodata
        raster.nodata = None
    np.testing.assert_array_equal(read(path), MASK)


def test_damage_is_no_label(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "labels.tif", np.tile(MASK, (40, 1)))
    labels = open_labels(path, GRID)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"damaged or cut off, rows 0-959, columns 0-39 cannot"):
        open_labels(path, GRID)
    path.unlink()
    with pytest.raises(InputError, match="no such file"), labels.reader() as reader:
        reader(GRID.full_window)


def test_a_window_that_can_no_longer_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geochange.raster.access.retry.sleep", lambda pause_s: None)
    path = make_raster(tmp_path / "labels.tif", np.tile(MASK, (400, 1)))
    labels = open_labels(path, grid_of((9600, 40)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with labels.reader() as reader, pytest.raises(RunError, match=r"rows 9000-9099, columns 0-39"):
        reader(Window(9000, 0, 100, 40))


def test_labels_are_small(tmp_path: Path) -> None:
    labels = open_labels(TIFFS["only change, nodata"](tmp_path / "labels.tif"), SHIFTED)
    assert isinstance(labels, RasterLabels)
    assert len(pickle.dumps(labels)) < 4_000
