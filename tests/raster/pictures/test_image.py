"""Images without a CRS: the pixels of each format, missing pixels, and refused files."""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from makers import make_raster, noise, texture
from numpy.typing import NDArray
from PIL import Image
from rasterio.errors import NotGeoreferencedWarning

from geochange.errors import InputError, OptionError
from geochange.raster.pictures.image import SUFFIXES, describe_picture, read_picture

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

COLOURS = noise((20, 30, 3))
SQUARE = np.zeros((20, 30), np.uint8)
SQUARE[5:10, 8:14] = 1


def save(path: Path, pixels: NDArray[Any], **options: Any) -> Path:
    Image.fromarray(pixels).save(path, **options)
    return path


def palette(path: Path, numbers: NDArray[np.uint8], colours: list[int], **options: Any) -> Path:
    image = Image.fromarray(numbers).convert("P")
    image.putdata(numbers.ravel().tolist())
    image.putpalette(colours)
    image.save(path, **options)
    return path


FORMATS = {".png": {}, ".tif": {}, ".tiff": {}, ".bmp": {}, ".webp": {"lossless": True}}


@pytest.mark.parametrize("suffix", [*FORMATS, ".PNG", ".BMP"])
def test_colours_are_read_as_they_are(tmp_path: Path, suffix: str) -> None:
    options = FORMATS[suffix.lower()]
    pixels, valid = read_picture(save(tmp_path / f"a{suffix}", COLOURS, **options), None)
    np.testing.assert_array_equal(pixels, COLOURS)
    assert pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    assert valid.all()


@pytest.mark.parametrize("suffix", sorted({*SUFFIXES} - {*FORMATS}))
def test_a_jpeg_is_nearly_what_went_in(tmp_path: Path, suffix: str) -> None:
    smooth = np.repeat(texture(64)[..., :1], 3, axis=2).astype(np.uint8)
    pixels, _ = read_picture(save(tmp_path / f"a{suffix}", smooth, quality=95), None)
    assert np.abs(pixels.astype(int) - smooth).mean() < 2


def test_one_band_makes_three(tmp_path: Path) -> None:
    grey = noise((20, 30), dtype=np.uint16) * 300
    path = make_raster(tmp_path / "a.tif", grey, crs=None)
    assert describe_picture(path).bands == (1,)
    assert describe_picture(path).dtype == np.uint16
    pixels, _ = read_picture(path, None)
    np.testing.assert_array_equal(pixels, np.stack([grey] * 3, axis=-1))


def test_bands_come_in_the_order_asked_for(tmp_path: Path) -> None:
    many = noise((20, 30, 5), dtype=np.float32)
    path = make_raster(tmp_path / "a.tif", many, crs=None)
    np.testing.assert_array_equal(read_picture(path, (4, 3, 2))[0], many[..., [3, 2, 1]])
    np.testing.assert_array_equal(read_picture(path, None)[0], many[..., :3])


def test_a_palette_is_expanded(tmp_path: Path) -> None:
    path = palette(tmp_path / "a.png", SQUARE, [10, 20, 30, 200, 100, 50])
    info = describe_picture(path)
    assert (info.bands, info.shape) == ((1, 2, 3), (20, 30))
    pixels, valid = read_picture(path, None)
    assert pixels[0, 0].tolist() == [10, 20, 30]
    assert pixels[5, 8].tolist() == [200, 100, 50]
    assert valid.all()
    np.testing.assert_array_equal(read_picture(path, (3, 2, 1))[0], pixels[..., ::-1])


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_a_photo_behind_a_palette_is_its_colours(tmp_path: Path, suffix: str) -> None:
    photo = Image.fromarray(texture(64).astype(np.uint8))
    few = photo.quantize(200)
    few.save(tmp_path / f"a{suffix}")
    pixels, valid = read_picture(tmp_path / f"a{suffix}", None)
    np.testing.assert_array_equal(pixels, np.asarray(few.convert("RGB")))
    assert valid.all() and np.abs(pixels.astype(int) - np.asarray(photo)).mean() < 5


def test_transparent_colours_of_a_palette_hold_no_data(tmp_path: Path) -> None:
    path = palette(tmp_path / "a.png", SQUARE, [10, 20, 30, 200, 100, 50], transparency=1)
    np.testing.assert_array_equal(read_picture(path, None)[1], SQUARE == 0)


def test_alpha_holds_no_data_where_it_is_zero(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", np.dstack([COLOURS, SQUARE * 200]))
    pixels, valid = read_picture(path, None)
    assert describe_picture(path).bands == (1, 2, 3)
    np.testing.assert_array_equal(pixels[valid], COLOURS[valid])
    np.testing.assert_array_equal(valid, SQUARE == 1)


def test_nodata_of_an_unsigned_picture_fills_all_bands(tmp_path: Path) -> None:
    pixels = COLOURS.copy()
    pixels[0, 0] = 0
    pixels[0, 1, 0] = 0  # dark in one band only is data
    _, valid = read_picture(make_raster(tmp_path / "a.tif", pixels, crs=None, nodata=0), None)
    assert np.argwhere(~valid).tolist() == [[0, 0]]


@pytest.mark.parametrize("missing", [-9999.0, np.nan])
def test_one_band_of_nodata_is_enough_otherwise(tmp_path: Path, missing: float) -> None:
    pixels = COLOURS.astype(np.float32)
    pixels[3, 4, 1] = missing
    path = make_raster(tmp_path / "a.tif", pixels, crs=None, nodata=missing)
    assert np.argwhere(~read_picture(path, None)[1]).tolist() == [[3, 4]]


def cut_off(data: bytes) -> bytes:
    return data[: len(data) // 2]


def middle_lost(data: bytes) -> bytes:
    return data[: len(data) // 3] + data[len(data) // 2 :]


def bit_turned(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


DAMAGES = [
    *(("png", damage) for damage in (cut_off, middle_lost, bit_turned)),
    *((suffix, cut_off) for suffix in ("jpg", "tif", "bmp", "webp")),
]


@pytest.mark.parametrize(("suffix", "damage"), DAMAGES)
def test_a_damaged_picture_is_refused(tmp_path: Path, suffix: str, damage: Any) -> None:
    whole = save(tmp_path / f"whole.{suffix}", noise((128, 128, 3)))
    read_picture(whole, None)
    path = tmp_path / f"bad.{suffix}"
    path.write_bytes(damage(whole.read_bytes()))
    with pytest.raises(InputError, match=rf"bad\.{suffix}: "):
        read_picture(path, None)


def test_a_png_with_something_behind_it_is_read(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", COLOURS)
    path.write_bytes(path.read_bytes() + b"signed by the camera")
    np.testing.assert_array_equal(read_picture(path, None)[0], COLOURS)


def test_what_is_no_picture_is_refused(tmp_path: Path) -> None:
    make_raster(tmp_path / "two.tif", noise((20, 30, 2)), crs=None)
    with pytest.raises(InputError, match="2 bands"):
        read_picture(tmp_path / "two.tif", None)
    with pytest.raises(OptionError, match="no band 4"):
        read_picture(save(tmp_path / "a.png", COLOURS), (4, 3, 2))
    with pytest.raises(InputError, match="no such file"):
        read_picture(tmp_path / "nowhere.png", None)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InputError, match="is a folder"):
        read_picture(tmp_path / "folder.png", None)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(InputError, match=r"text\.png"):
        read_picture(tmp_path / "text.png", None)


def test_a_picture_that_points_to_others_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png", COLOURS)
    (tmp_path / "b.png").write_text(
        '<VRTDataset rasterXSize="30" rasterYSize="20"><VRTRasterBand dataType="Byte" band="1">'
        '<SimpleSource><SourceFilename relativeToVRT="1">a.png</SourceFilename></SimpleSource>'
        "</VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(InputError, match=r"b\.png: is VRT, not PNG, JPEG or TIFF"):
        read_picture(tmp_path / "b.png", None)


def test_threads_read_without_a_word(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"{number}.png", COLOURS) for number in range(20)] * 4
    with warnings.catch_warnings(record=True) as said, ThreadPoolExecutor(8) as threads:
        warnings.simplefilter("always")
        filters = list(warnings.filters)
        list(threads.map(lambda path: read_picture(path, None), paths))
        assert warnings.filters == filters, "are as they were"
    # Python records what the whole process warns of, such as files that other tests left open.
    assert [each for each in said if each.category is NotGeoreferencedWarning] == []
