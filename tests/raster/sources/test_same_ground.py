"""Files that lie on each other are refused with a cure; tiles that overlap at their edges are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from containers import make_sentinel2
from makers import NORTH_UP, make_raster, noise
from polygon_files import make_polygons, square

from geochange.errors import InputError
from geochange.raster.reader import inspect_raster, opened
from geochange.raster.sources import same_ground

SIDE = 100
GRANULE = "GRANULE/*/IMG_DATA/R10m"


def test_bands_of_a_product_are_no_tiles_and_the_cure_stacks_them(tmp_path: Path) -> None:
    product = make_sentinel2(tmp_path)
    with pytest.raises(InputError, match="4 of its files cover the same ground") as refused:
        inspect_raster(f"{product}/{GRANULE}/*.jp2")
    said = str(refused.value)
    assert "\n" not in said and "are they bands?" in said and "are they dates?" in said
    files = [Path(name).name for name in said.split('"')[1].split(" + ")]
    assert [name[-11:-8] for name in files] == ["B04", "B03", "B02"]
    stack = " + ".join(f"{product}/{GRANULE}/{name}" for name in files)
    info = inspect_raster(stack)
    assert len(info.bands) == 3
    with opened(stack) as dataset:
        np.testing.assert_array_equal(dataset.read(1), noise((64, 64), 2))


@pytest.mark.parametrize(
    ("move_px", "scale", "is_refused"),
    [
        ((0, 0), 1, True),
        ((0, 9), 1, True),
        ((4, 4), 1, True),
        ((0, 0), 2, True),  # the same ground in half the pixels, as bands of 20 m are
        ((0, 11), 1, False),
        ((6, 6), 1, False),
        ((0, 90), 1, False),
        ((100, 0), 1, False),
    ],
)
@pytest.mark.parametrize("angle", [0, 30])
def test_nine_tenths_are_the_same_ground(
    tmp_path: Path, move_px: tuple[int, int], scale: int, is_refused: bool, angle: int
) -> None:
    place = NORTH_UP @ Affine.rotation(angle)
    moved = place @ Affine.translation(move_px[1], move_px[0]) @ Affine.scale(scale)
    pixels = np.ones((SIDE, SIDE), np.uint8)
    make_raster(tmp_path / "a.tif", pixels, transform=place)
    make_raster(tmp_path / "b.tif", pixels[::scale, ::scale], transform=moved)
    if is_refused:
        with pytest.raises(InputError, match=r"cover the same ground \(a\.tif, b\.tif\)"):
            inspect_raster(str(tmp_path / "*.tif"))
    else:
        assert len(inspect_raster(str(tmp_path / "*.tif")).bands) == 1


def test_files_that_say_where_they_end_fill_the_gaps_of_each_other(tmp_path: Path) -> None:
    pixels = noise((SIDE, SIDE)) | 1
    left, right = pixels.copy(), pixels.copy()
    left[:, SIDE // 2 :], right[:, : SIDE // 2] = 0, 0
    make_raster(tmp_path / "a.tif", left, nodata=0)
    make_raster(tmp_path / "b.tif", right, nodata=0)
    with opened(str(tmp_path / "?.tif")) as dataset:
        np.testing.assert_array_equal(dataset.read(1), pixels)
    for band, half in (("B02", left), ("B03", right)):
        make_raster(tmp_path / f"x_{band}.tif", half, nodata=0)
    with pytest.raises(InputError, match="are they bands"):
        inspect_raster(str(tmp_path / "x_*.tif"))
    make_raster(tmp_path / "b.tif", right)
    with pytest.raises(InputError, match="cover the same ground"):
        inspect_raster(str(tmp_path / "?.tif"))


def test_bands_are_refused_beside_files_that_fill_gaps(tmp_path: Path) -> None:
    away = NORTH_UP @ Affine.translation(SIDE, 0)
    for name, nodata, place in (
        ("a", 0, NORTH_UP),
        ("b", 0, NORTH_UP),
        ("x_B02", 0, away),
        ("x_B03", 0, away),
    ):
        make_raster(tmp_path / f"{name}.tif", noise((SIDE, SIDE)), nodata=nodata, transform=place)
    with pytest.raises(InputError, match=r"\(x_B02\.tif, x_B03\.tif\)"):
        inspect_raster(str(tmp_path / "*.tif"))


def test_an_index_may_name_a_file_twice(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", noise((SIDE, SIDE)))
    make_polygons(
        tmp_path / "i.gti.gpkg", [square(0, 0, 9)] * 2, columns={"location": ["a.tif", "a.tif"]}
    )
    assert inspect_raster(str(tmp_path / "i.gti.gpkg")).grid.shape == (SIDE, SIDE)


@pytest.mark.parametrize("number", [0.0, float("nan")])
def test_a_tile_without_area_is_refused(tmp_path: Path, number: float) -> None:
    place = Affine(number, 0, 0, 0, -1, 0)
    make_raster(tmp_path / "a.tif", noise((8, 8)), transform=place)
    make_raster(tmp_path / "b.tif", noise((8, 8)))
    with pytest.raises(InputError, match=r"a\.tif: (its transform|has no georeference)"):
        inspect_raster(str(tmp_path / "?.tif"))


def test_a_small_tile_on_a_large_one_is_an_update(tmp_path: Path) -> None:
    make_raster(tmp_path / "a.tif", noise((SIDE, SIDE)))
    make_raster(tmp_path / "b.tif", noise((SIDE, SIDE // 2), 1))
    with opened(str(tmp_path / "*.tif")) as dataset:
        np.testing.assert_array_equal(dataset.read(1)[:, : SIDE // 2], noise((SIDE, SIDE // 2), 1))


def test_every_file_is_looked_at_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_ground, "PIECE", 2)
    for number in range(7):
        place = NORTH_UP @ Affine.translation(SIDE * min(number, 5), 0)
        make_raster(tmp_path / f"{number}.tif", np.ones((SIDE, SIDE), np.uint8), transform=place)
    with pytest.raises(InputError, match=r"2 of its files cover the same ground \(5\.tif, 6\.tif"):
        inspect_raster(str(tmp_path / "*.tif"))
    assert inspect_raster(str(tmp_path / "[0-5].tif")).grid.shape == (SIDE, 6 * SIDE)


def test_one_file_has_the_ground_for_itself(tmp_path: Path) -> None:

    make_raster(tmp_path / "a.tif", noise((8, 9)))
    assert inspect_raster(str(tmp_path / "*.tif")).grid.shape == (8, 9)
