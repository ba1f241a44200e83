"""Class images are decoded however they are stored; other values are refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from layout_sets import save
from numpy.typing import NDArray
from PIL import Image

from geochange.dataset.layouts.dynamic_earth_net import LEGEND as MONTHLY
from geochange.dataset.layouts.hrscd import CHANGE_VALUES
from geochange.dataset.layouts.hrscd import LEGEND as COVER
from geochange.dataset.layouts.picture_folders import SECOND
from geochange.dataset.truth.class_labels import ClassLabels, Legend
from geochange.dataset.truth.dated_classes import DatedClasses
from geochange.errors import InputError
from geochange.grid.tiling import Window
from geochange.raster.pictures.class_image import read_class_image

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

NUMBERS = np.arange(7, dtype=np.uint8).repeat(4).reshape(4, 7)
COLOURS = np.array([[c >> 16, c >> 8 & 255, c & 255] for c in SECOND.colours], np.uint8)


def indexed(path: Path, numbers: NDArray[np.uint8], colours: NDArray[np.uint8]) -> Path:
    image = Image.fromarray(numbers).convert("P")
    image.putdata(numbers.ravel().tolist())
    image.putpalette(colours.ravel().tolist())
    image.save(path)
    return path


def decoded(legend: Legend, path: Path) -> NDArray[np.uint8]:
    return legend.decode(path, read_class_image(path))


def test_classes_of_second_in_all_encodings(tmp_path: Path) -> None:
    shuffled = (NUMBERS + 3) % 7
    order = np.argsort((np.arange(7) + 3) % 7)
    files = [
        save(tmp_path / "rgb.png", COLOURS[NUMBERS]),
        save(tmp_path / "rgba.png", np.dstack([COLOURS[NUMBERS], np.full((4, 7), 255, np.uint8)])),
        save(tmp_path / "numbers.png", NUMBERS),
        indexed(tmp_path / "palette.png", NUMBERS, COLOURS),
        indexed(tmp_path / "shuffled.png", shuffled, COLOURS[order]),
        indexed(tmp_path / "viewer.png", NUMBERS, np.arange(21, dtype=np.uint8)),
    ]
    for path in files:
        np.testing.assert_array_equal(decoded(SECOND, path), NUMBERS, err_msg=path.name)


def test_a_picture_of_white_and_grey_is_in_colour(tmp_path: Path) -> None:
    """Its three bands are equal, as those of numbers are."""
    path = save(tmp_path / "white.png", COLOURS[[[0, 2]]])
    np.testing.assert_array_equal(decoded(SECOND, path), [[0, 2]])


def test_bands_of_classes(tmp_path: Path) -> None:
    bands = np.zeros((1, 4, 7), np.uint8)
    bands[0, 0, 6] = bands[0, 1, 0] = bands[0, 3, 2] = bands[0, 3, 4] = 255
    path = save(tmp_path / "bands.tif", bands)
    np.testing.assert_array_equal(decoded(MONTHLY, path), [[6, 0, 255, 255]])
    path = save(tmp_path / "one.tif", np.array([[7, 1]], np.uint8))
    np.testing.assert_array_equal(decoded(MONTHLY, path), [[6, 0]])


ODD: dict[str, tuple[Legend, NDArray[Any], str]] = {
    "a colour": (
        SECOND,
        np.full((2, 2, 3), 7, np.uint8),
        "holds #070707; the classes are #ffffff no change",
    ),
    "a number": (COVER, np.full((2, 2), 6, np.uint8), "holds 6; the classes are 0 no information"),
    "colours for numbers": (COVER, COLOURS[NUMBERS], "holds 3 bands that differ"),
}


@pytest.mark.parametrize(("legend", "pixels", "told"), ODD.values(), ids=ODD.keys())
def test_other_values_are_refused(
    tmp_path: Path, legend: Legend, pixels: NDArray[Any], told: str
) -> None:
    path = save(tmp_path / "odd.png", pixels)
    with pytest.raises(InputError, match=rf"odd\.png: {told}"):
        decoded(legend, path)


def test_change_is_where_classes_differ() -> None:
    before = np.array([0, 0, 1, 255, 2], np.uint8)
    after = np.array([0, 1, 1, 1, 255], np.uint8)
    classes = DatedClasses(before, after, ("a", "b", "c"))
    np.testing.assert_array_equal(classes.change(), [0, 1, 0, 255, 255])
    classes = DatedClasses(before, after, ("a", "b", "c"), unchanged=0)
    np.testing.assert_array_equal(classes.change(), [0, 1, 1, 255, 255])


def test_a_mask_counts_before_classes_and_windows_are_parts(tmp_path: Path) -> None:
    before = save(tmp_path / "before.tif", np.array([[0, 1, 1, 2]], np.uint8))
    after = save(tmp_path / "after.tif", np.array([[1, 1, 2, 2]], np.uint8))
    mask = save(tmp_path / "mask.tif", np.array([[1, 0, 0, 1]], np.uint8))
    labels = ClassLabels(before, after, COVER, mask, CHANGE_VALUES)
    whole = labels.change((1, 4), None)
    np.testing.assert_array_equal(whole, [[255, 0, 0, 1]])
    np.testing.assert_array_equal(labels.change((1, 4), Window(0, 1, 1, 2)), whole[:, 1:3])
    small = save(tmp_path / "small.tif", np.array([[1, 1]], np.uint8))
    with pytest.raises(InputError, match=r"small\.tif: is 1 x 2 px and \S*before\.tif 1 x 4 px"):
        ClassLabels(before, small, COVER).change((1, 4), None)
