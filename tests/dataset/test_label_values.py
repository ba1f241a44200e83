"""Meaning of label values: every format gives the same mask, and doubtful values cause a message."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from label_files import COLOURED, FULL, MASK, PICTURES, SHAPE, TIFFS, WHITE, Write, grey, picture
from makers import make_raster, noise
from numpy.typing import NDArray
from PIL import Image

from geochange.dataset import FileChips, open_split, survey
from geochange.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

EVERY = {**{name: (".tif", write) for name, write in TIFFS.items()}, **PICTURES}


def put(root: Path, name: str, suffix: str, write: Write, split: str = "train") -> Path:
    """A chip whose label is written by `write`."""
    for date in ("time1", "time2"):
        path = root / split / date / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = noise((*SHAPE, 3), sum(map(ord, split + name + date)))
        Image.fromarray(pixels).save(path)
    label = root / split / "label" / f"{name}{suffix}"
    label.parent.mkdir(exist_ok=True)
    return write(label)


def labels(root: Path, split: str = "train") -> list[NDArray[np.uint8]]:
    source = open_split(root, split)
    assert isinstance(source, FileChips)
    return [np.asarray(source[number].label) for number in range(len(source))]


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_a_label_is_the_same_mask_however_it_was_saved(tmp_path: Path, name: str) -> None:
    put(tmp_path, "a", *EVERY[name])
    np.testing.assert_array_equal(labels(tmp_path)[0], MASK)


@pytest.mark.slow
@pytest.mark.parametrize("name", EVERY)
def test_beside_an_empty_label_it_stays_the_same(tmp_path: Path, name: str) -> None:
    put(tmp_path, "a", *EVERY[name])
    put(tmp_path, "b", ".png", picture(MASK * np.uint8(0)))
    expected = MASK.copy()
    if "only change" in name or (name[-18:] == "transparent ground" and "palette" not in name):
        expected[MASK == 0] = 255  # the other label says what means no change
    np.testing.assert_array_equal(labels(tmp_path)[0], expected)


def test_labels_that_hold_no_change_are_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "a", ".png", picture(MASK * np.uint8(0)))
    put(tmp_path, "b", ".png", picture(MASK * np.uint8(0)))
    open_split(tmp_path, "train")
    assert f"{tmp_path}, train: holds no change: none of its 2 labels" in caplog.text
    caplog.clear()
    put(tmp_path, "c", ".png", picture(WHITE))
    open_split(tmp_path, "train")
    assert caplog.text == ""


def test_the_expanded_palette_taken_as_one_band_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Class 1 was green, and the first band of green is 0."""
    colours = np.zeros((*SHAPE, 3), np.uint8)
    colours[MASK == 1] = (0, 255, 0)
    put(tmp_path, "a", ".png", picture(np.ascontiguousarray(colours[..., 0])))
    survey(tmp_path)
    assert "holds no change" in caplog.text


def test_loss_is_said_once_for_a_data_set(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for split in ("train", "val"):
        for name in ("a", "b"):
            put(tmp_path, name, *PICTURES["JPEG"], split)
    survey(tmp_path)
    said = [record.message for record in caplog.records if "saved with loss" in record.message]
    assert said == [
        f"{tmp_path}: labels were saved with loss (JPEG): numbers from 128 on are change, all else "
        "none"
    ]


def test_a_dim_black_beside_white_is_none(tmp_path: Path) -> None:
    put(tmp_path, "a", *PICTURES["JPEG"])
    put(tmp_path, "b", ".jpg", picture(np.full(SHAPE, 4, np.uint8)))
    square, nothing = labels(tmp_path)
    np.testing.assert_array_equal(square, MASK)
    assert not nothing.any()


def test_change_of_one_does_not_outlive_a_jpeg(tmp_path: Path) -> None:
    path = put(tmp_path, "a", ".jpg", picture(MASK * np.uint8(3)))
    with pytest.raises(InputError, match=r"a\.jpg: was saved with loss") as refused:
        open_split(tmp_path, "train")
    assert "save change as 255, or without loss (PNG)" in str(refused.value)
    path.unlink()
    for number, (suffix, write) in enumerate([(".jpg", picture(WHITE)), (".png", picture(MASK))]):
        root = tmp_path / str(number)
        put(root, "a", suffix, write)
        np.testing.assert_array_equal(labels(root)[0], MASK)


HIDING = {
    "1": grey(1, "uint8", nodata=1),
    "255": grey(255, "uint8", nodata=255),
    "16 bit white": grey(65535, "uint16", nodata=65535),
    "1 of a float": grey(1, "float32", nodata=1),
}


@pytest.mark.parametrize("name", HIDING)
def test_a_nodata_value_that_is_change_is_named(tmp_path: Path, name: str) -> None:
    path = put(tmp_path, "a", ".tif", HIDING[name])
    with pytest.raises(InputError, match=r"a\.tif: its nodata value \d+ may mean change"):
        open_split(tmp_path, "train")
    with rasterio.open(path, "r+") as raster:  # as gdal_edit.py -unsetnodata
        raster.nodata = None
    np.testing.assert_array_equal(labels(tmp_path)[0], MASK)


def test_transparent_white_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a", ".png", picture(WHITE, transparency=255))
    with pytest.raises(InputError, match="its nodata value 255"):
        open_split(tmp_path, "train")


def test_the_other_cure_leaves_unknown_pixels_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Like the output of gdalwarp -dstnodata 2 for a label in which 255 is unknown."""
    put(tmp_path, "a", ".tif", grey(2, "uint8", nodata=2))
    np.testing.assert_array_equal(labels(tmp_path)[0], MASK * np.uint8(255))
    assert "holds no change" in caplog.text


def test_a_nodata_of_255_is_unknown_beside_change_of_1(tmp_path: Path) -> None:
    label = MASK.copy()
    label[20:] = 255
    put(tmp_path, "a", ".tif", lambda path: make_raster(path, label, nodata=255))
    np.testing.assert_array_equal(labels(tmp_path)[0], label)


def test_a_nodata_of_255_may_be_said_to_be_unknown(tmp_path: Path) -> None:
    put(tmp_path, "a", ".tif", grey(255, "uint8", nodata=255))
    said = '{"label_values": {"0": "none", "1": "change", "255": "unknown"}}'
    (tmp_path / "chips.json").write_text(said)
    np.testing.assert_array_equal(labels(tmp_path)[0], WHITE)


def test_nothing_but_change_leaves_the_rest_as_none_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "a", ".png", picture(np.dstack([COLOURED, WHITE])))
    np.testing.assert_array_equal(labels(tmp_path)[0], MASK)
    assert f"{tmp_path}: labels hold only change" in caplog.text
    caplog.clear()
    label = np.where(MASK == 1, MASK, FULL)  # the cure: unknown pixels are 255
    put(tmp_path / "said", "a", ".png", picture(label))
    np.testing.assert_array_equal(labels(tmp_path / "said")[0], label)
    assert caplog.text == ""


@pytest.mark.parametrize("name", ["palette turned", "1 bit, 0 white", "8 bits, 0 white"])
def test_change_drawn_dark_is_read_by_its_numbers_with_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    path = put(tmp_path, "a", ".tif", TIFFS[name])
    np.testing.assert_array_equal(labels(tmp_path)[0], MASK)
    assert f"labels are drawn dark on light ({path})" in caplog.text


@pytest.mark.slow
def test_most_labels_need_no_word(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    quiet = ("0 and 1", "0 and 255", "palette green", "palette red on white", "1 bit", "float")
    for number, name in enumerate(quiet):
        put(tmp_path / str(number), "a", ".tif", TIFFS[name])
        open_split(tmp_path / str(number), "train")
    assert caplog.text == ""


def test_one_bit_goes_with_white_and_with_one(tmp_path: Path) -> None:
    one_bit: Callable[[Path], Path] = picture(MASK == 1)
    put(tmp_path / "white", "a", ".png", one_bit)
    put(tmp_path / "white", "b", ".png", picture(WHITE))
    put(tmp_path / "one", "a", ".png", one_bit)
    unknown = np.where(MASK == 1, MASK, FULL)
    put(tmp_path / "one", "b", ".png", picture(unknown))
    for root, second in (("white", MASK), ("one", unknown)):
        first, other = labels(tmp_path / root)
        np.testing.assert_array_equal(first, MASK)
        np.testing.assert_array_equal(other, second)


@pytest.mark.parametrize("values", [(2,), (1, 2, 3), (128,), (-1,), (0.5,)])
def test_other_numbers_are_refused(tmp_path: Path, values: tuple[float, ...]) -> None:
    label = MASK.astype(np.float32)
    label[0, : len(values)] = values
    put(tmp_path, "a", ".tif", lambda path: make_raster(path, label))
    with pytest.raises(
        InputError, match=rf"a\.tif: holds the label {max(values):g}|{min(values):g}"
    ):
        open_split(tmp_path, "train")


def test_a_label_of_another_size_is_named(tmp_path: Path) -> None:
    put(tmp_path, "a", ".png", picture(np.ascontiguousarray(WHITE[:-1])))
    with pytest.raises(InputError, match=r"a\.png: is 23 x 40 px \(height x width\)"):
        survey(tmp_path)
