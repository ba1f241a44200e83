"""Labels from polygons and from rasters: 1 change, 0 none, 255 unknown, on the pair's grid."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from makers import LONLAT, NORTH_UP, make_raster, noise
from polygon_files import grid_of, make_polygons, square
from pyproj import CRS

from geochange.dataset.labels import PolygonLabels, RasterLabels, open_labels
from geochange.errors import InputError
from geochange.grid.tiling import TilePlan, Window

SHAPE = (20, 30)
GRID = grid_of(SHAPE)
WHOLE = Window(0, 0, *SHAPE)


def read(path: Path, window: Window = WHOLE) -> np.ndarray:
    with open_labels(path, GRID).reader() as reader:
        label = reader(window)
    assert label.dtype == np.uint8 and label.shape == (window.height, window.width)
    return label


def planted(*values: int) -> np.ndarray:
    """Labels without change, with squares of other values."""
    label = np.zeros(SHAPE, np.uint8)
    for number, value in enumerate(values):
        label[3 : 3 + 2 * number + 4, 5 + 8 * number : 10 + 8 * number] = value
    return label


def test_polygons_are_change_and_all_else_is_none(tmp_path: Path) -> None:
    path = make_polygons(tmp_path / "drawn.gpkg", [square(3, 5, 4, 5), square(3, 13, 6, 5)], LONLAT)
    assert np.array_equal(read(path), planted(1, 1))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["polygons", "raster", "warped raster"])
def test_windows_show_what_the_whole_shows_and_overhang_as_unknown(
    tmp_path: Path, kind: str
) -> None:
    if kind == "polygons":
        path = make_polygons(tmp_path / "drawn.geojson", [square(3.3, 5.2, 9.1)], LONLAT)
    else:
        turned = NORTH_UP @ Affine.rotation(12) if kind == "warped raster" else NORTH_UP
        path = make_raster(tmp_path / "drawn.tif", planted(1, 255, 1), transform=turned)
    whole = read(path)
    assert {0, 1} <= set(np.unique(whole))
    around = np.full((SHAPE[0] + 14, SHAPE[1] + 14), 255, np.uint8)
    around[7:-7, 7:-7] = whole
    for window in TilePlan(around.shape, 9, 2, 1).output_windows():
        shown = read(path, window.moved(-7, -7))
        assert np.array_equal(shown, around[window.within(Window(0, 0, *around.shape))])


@pytest.mark.parametrize(
    ("values", "profile", "expected"),
    [
        ((1, 1), {}, (1, 1)),
        ((255, 255), {}, (1, 1)),
        ((1, 255), {}, (1, 255)),
        ((1, 255), {"nodata": 255}, (1, 255)),
        ((1, 7), {"nodata": 7}, (1, 255)),
        ((255, 7), {"nodata": 7}, (1, 255)),
        ((1, 1), {"nodata": 0}, (1, 1)),
        ((0, 0), {}, (0, 0)),
    ],
)
def test_what_values_mean(
    tmp_path: Path, values: tuple[int, int], profile: dict[str, Any], expected: tuple[int, int]
) -> None:
    path = make_raster(tmp_path / "labels.tif", planted(*values), **profile)
    assert np.array_equal(read(path), planted(*expected))


def test_a_mask_makes_unknown(tmp_path: Path) -> None:
    mask = np.ones(SHAPE, np.bool_)
    mask[:4] = False
    path = make_raster(tmp_path / "labels.tif", planted(1), mask=mask)
    expected = planted(1)
    expected[:4] = 255
    assert np.array_equal(read(path), expected)


@pytest.mark.parametrize("nodata", [None, 255, 0])
def test_a_finer_raster_is_read_by_the_nearest_pixel(tmp_path: Path, nodata: int | None) -> None:
    fine = np.kron(planted(1), np.ones((3, 3), np.uint8))[:48]
    path = make_raster(
        tmp_path / "labels.tif", fine, transform=NORTH_UP @ Affine.scale(1 / 3), nodata=nodata
    )
    expected = planted(1)
    expected[16:] = 255  # the raster does not cover this
    assert np.array_equal(read(path), expected)


def test_a_raster_in_another_crs(tmp_path: Path) -> None:
    """A pixel has the value of the raster at its centre."""
    transform = Affine(6e-5, 0, 8.9995, 0, -6e-5, 45.1540)
    rows, cols = np.indices((80, 100))
    drawn = ((rows // 9 + cols // 13) % 2).astype(np.uint8)
    path = make_raster(tmp_path / "labels.tif", drawn, crs=LONLAT, transform=transform)
    from pyproj import Transformer

    rows, cols = np.indices(SHAPE) + 0.5
    to_lonlat = Transformer.from_crs(GRID.crs, LONLAT, always_xy=True)
    col, row = ~transform @ to_lonlat.transform(*(NORTH_UP @ (cols, rows)))
    expected = drawn[np.floor(row).astype(int), np.floor(col).astype(int)]
    assert np.array_equal(read(path), expected)


def test_labels_travel(tmp_path: Path) -> None:
    drawn = make_polygons(tmp_path / "drawn.gpkg", [square(2, 2, 5)] * 200)
    raster = make_raster(tmp_path / "labels.tif", planted(1))
    for path, kind in ((drawn, PolygonLabels), (raster, RasterLabels)):
        labels = open_labels(path, GRID)
        assert isinstance(labels, kind) and labels.path == path
        packed = pickle.dumps(labels)
        assert len(packed) < 4_000
        with pickle.loads(packed).reader() as reader:
            assert np.array_equal(reader(WHOLE), read(path))


def test_a_file_that_was_drawn_again_is_read_again(tmp_path: Path) -> None:
    import os

    path = make_polygons(tmp_path / "drawn.gpkg", [square(3, 5, 4)])
    first = read(path)
    path.unlink()
    make_polygons(path, [square(9, 9, 4)])
    os.utime(path, ns=(1, 1))
    assert not np.array_equal(read(path), first)


def test_refusals(tmp_path: Path) -> None:
    far = CRS.from_epsg(32615)
    refused = {
        make_polygons(tmp_path / "empty.gpkg", []): "holds no polygon",
        make_polygons(tmp_path / "far.gpkg", [square(900, 900, 5)]): "none of its polygons lies on",
        make_raster(tmp_path / "far.tif", planted(1), crs=far): "covers nothing of the pair",
        make_raster(tmp_path / "rgb.tif", noise((*SHAPE, 3))): "holds 3 bands",
        make_raster(tmp_path / "odd.tif", planted(1, 7)): "holds the label 7",
        tmp_path / "nowhere.tif": "no such file",
        tmp_path / "nowhere.gpkg": "no such file",
    }
    for path, said in refused.items():
        with pytest.raises(InputError) as error:
            open_labels(path, GRID)
        assert said in str(error.value) and str(path) in str(error.value)
        assert "\n" not in str(error.value)
