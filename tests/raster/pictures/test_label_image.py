"""Values of labels: what is read from each format, which pixels have none, and refused files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from label_files import MASK, PICTURES, TIFFS, WHITE, layers, numbered, picture
from makers import make_raster, noise

from geochange.errors import InputError
from geochange.raster.pictures.label_image import read_label

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def test_numbers_are_those_of_the_file(tmp_path: Path) -> None:
    for number, name in enumerate(("0 and 1", "palette green", "palette turned", "float")):
        label = read_label(TIFFS[name](tmp_path / f"{number}.tif"))
        np.testing.assert_array_equal(label.numbers, MASK)
        assert label.valid.all()


def test_white_is_255_however_many_bits_it_has(tmp_path: Path) -> None:
    for number, name in enumerate(
        ("0 and 255", "16 bits, white", "32 bits, white", "4 bits, white")
    ):
        label = read_label(TIFFS[name](tmp_path / f"{number}.tif"))
        np.testing.assert_array_equal(label.numbers, WHITE)


@pytest.mark.parametrize("name", ["1 bit PNG", "JPEG", "JPEG in colour", "WebP", "1 bit BMP"])
def test_what_tells_no_more_than_change_or_none_is_read_as_that(tmp_path: Path, name: str) -> None:
    suffix, write = PICTURES[name]
    label = read_label(write(tmp_path / f"a{suffix}"))
    assert label.numbers.dtype == np.bool_
    np.testing.assert_array_equal(label.numbers, MASK == 1)


def test_ringing_is_none(tmp_path: Path) -> None:
    label = read_label(picture(WHITE)(tmp_path / "a.jpg"))
    assert len(np.unique(label.raw)) > 5
    np.testing.assert_array_equal(label.numbers, MASK == 1)


def test_nodata_alpha_and_masks_are_no_numbers(tmp_path: Path) -> None:
    shown = np.broadcast_to(np.arange(MASK.shape[1]) < 20, MASK.shape)
    for path in (
        layers(MASK, shown * np.uint8(255), alpha=True)(tmp_path / "alpha.tif"),
        make_raster(tmp_path / "mask.tif", MASK, mask=shown),
        make_raster(tmp_path / "nodata.tif", np.where(shown, MASK, np.uint8(9)), nodata=9),
        make_raster(tmp_path / "nan.tif", np.where(shown, MASK, np.float32("nan"))),
    ):
        np.testing.assert_array_equal(read_label(path).valid, shown, err_msg=path.name)


def test_a_nodata_of_zero_is_a_number(tmp_path: Path) -> None:
    assert read_label(TIFFS["nodata 0"](tmp_path / "a.tif")).valid.all()


def test_a_palette_says_where_it_draws_change_dark(tmp_path: Path) -> None:
    dark = {
        "palette turned": {1},
        "1 bit, 0 white": {1},
        "8 bits, 0 white": {1, 255},
        "palette green": set(),
        "palette red on white": set(),
        "0 and 1": set(),
    }
    for number, (name, numbers) in enumerate(dark.items()):
        label = read_label(TIFFS[name](tmp_path / f"{number}.tif"))
        assert numbers <= label.coding.dark, name
        assert numbers or not label.coding.dark & {1}, name


def test_colours_are_no_labels(tmp_path: Path) -> None:
    for path in (
        picture(noise((*MASK.shape, 3)))(tmp_path / "a.png"),
        layers(MASK, WHITE, MASK)(tmp_path / "b.tif"),
        picture(np.dstack([WHITE, MASK, MASK]))(tmp_path / "c.jpg"),
    ):
        with pytest.raises(InputError, match="bands that differ, so it holds colours") as refused:
            read_label(path)
        assert "\n" not in str(refused.value) and path.name in str(refused.value)


def test_the_cure_for_colours_is_the_palette_they_came_from(tmp_path: Path) -> None:
    colours = np.zeros((*MASK.shape, 3), np.uint8)
    colours[MASK == 1] = (0, 255, 0)
    with pytest.raises(InputError, match="a palette is read by its numbers"):
        read_label(picture(colours)(tmp_path / "a.png"))
    label = read_label(numbered([0, 0, 0, 0, 255, 0])(tmp_path / "b.png"))
    np.testing.assert_array_equal(label.numbers, MASK == 1)


def test_what_can_hold_no_label_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="complex numbers"):
        read_label(make_raster(tmp_path / "a.tif", MASK.astype(np.complex64)))
    with pytest.raises(InputError, match="is GIF, not PNG, JPEG or TIFF"):
        read_label(picture(WHITE)(tmp_path / "a.gif"))
    with pytest.raises(InputError, match="no such file"):
        read_label(tmp_path / "gone.png")


def test_a_label_whose_pixels_are_damaged_is_named(tmp_path: Path) -> None:
    path = make_raster(tmp_path / "a.png", noise((64, 64)), driver="PNG", crs=None)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"a\.png: damaged or cut off, its pixels cannot be read"):
        read_label(path)
