"""classes.yaml: names and colours of the classes of a data set, of dates or of changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from layout_sets import MASK, folders, pictures, save, second
from PIL import Image

from geochange.dataset import open_split
from geochange.dataset.truth.classified_chips import ClassifiedChips, classified, need_classes
from geochange.errors import GeochangeError, InputError

LIST = """
classes:
  - {name: nothing, value: 9, colour: "#ffffff"}
  - {name: pond, value: 3, colour: "#0000FF"}
  - {name: shed, value: 40, colour: "#800000"}
  - {name: clouds, value: 7, colour: "#123456"}
unchanged: nothing
unknown: [clouds]
"""

CHANGES = """
classes:
  - {name: meadow, colour: "#00ff00"}
  - {name: shed, colour: "#800000"}
changes:
  - {value: 0}
  - {value: 4, before: meadow, after: shed}
  - {value: 5, before: shed, after: shed}
"""


def numbered(root: Path, palette: bool = False) -> Path:
    """Labels of both dates as numbers: a pond became a shed, and clouds hide a row before."""
    one, two = pictures(0)
    before, after = (np.where(MASK, value, 9).astype(np.uint8) for value in (3, 40))
    before[0] = 7
    (root).mkdir(exist_ok=True)
    (root / "classes.yaml").write_text(LIST)
    for folder, pixels in (("im1", one), ("im2", two), ("label1", before), ("label2", after)):
        path = save(root / "train" / folder / "a.png", pixels)
        if palette and folder.startswith("label"):
            image = Image.fromarray(pixels).convert("L").convert("P")
            image.putdata(pixels.ravel().tolist())
            colours = np.zeros((256, 3), np.uint8)
            colours[[9, 3, 40, 7]] = [(255,) * 3, (0, 0, 255), (128, 0, 0), (18, 52, 86)]
            image.putpalette(colours.ravel().tolist())
            image.save(path)
    return root


def chips_of(root: Path) -> ClassifiedChips:
    found = classified(open_split(root, "train"))
    assert found is not None
    return found


@pytest.mark.parametrize("palette", [False, True])
def test_numbers_and_palettes_of_both_dates(tmp_path: Path, palette: bool) -> None:
    chips = chips_of(numbered(tmp_path, palette))
    assert chips.table.names == ("pond", "shed")
    assert chips.table.colours == ("#0000ff", "#800000")
    chip = chips[0]
    label = MASK.copy()
    label[0] = 255
    np.testing.assert_array_equal(chip.label, label)
    assert chip.land is not None
    np.testing.assert_array_equal(chip.land[0], np.where(label == 1, 0, 255))
    np.testing.assert_array_equal(chip.land[1], np.where(MASK == 1, 1, 255))


def test_the_classes_of_second_have_its_colours(tmp_path: Path) -> None:
    second(tmp_path)
    chips = chips_of(tmp_path)
    assert chips.table.by_name["building"] == "#800000"
    assert "no change" not in chips.table.names
    land = chips[0].land
    assert land is not None
    assert {chips.table.names[n] for n in np.unique(land[0]) if n != 255} == {"tree", "ground"}


def from_to(root: Path, value: int = 4) -> Path:
    one, two = pictures(0)
    label = np.where(MASK, value, 0).astype(np.uint8)
    label[15], label[14] = 5, 255
    for folder, pixels in (("A", one), ("B", two), ("label", label)):
        save(root / "train" / folder / "a.png", pixels)
    (root / "classes.yaml").write_text(CHANGES)
    return root


@pytest.mark.parametrize("zipped", [False, True])
def test_one_label_of_changes(tmp_path: Path, zipped: bool) -> None:
    root = from_to(tmp_path / "set")
    if zipped:
        root = Path(shutil.make_archive(str(tmp_path / "packed"), "zip", root))
    chips = chips_of(root)
    chip = chips[0]
    label = MASK.copy()
    label[14] = 255
    np.testing.assert_array_equal(chip.label, label)
    before, after = np.full((2, 16, 16), 255)
    before[MASK == 1], after[MASK == 1] = 0, 1
    before[15] = after[15] = 1
    np.testing.assert_array_equal(chip.land, np.stack([before, after]))


def test_a_change_from_or_to_what_is_unknown_counts_nowhere(tmp_path: Path) -> None:
    root = from_to(tmp_path)
    text = CHANGES.replace("classes:", "unknown: [no  view]\nclasses:\n  - {name: no view}", 1)
    text = text.replace('"#00ff00"', "null").replace('"#800000"', "null")
    text += "  - {value: 6, before: no  view, after: shed}\n"
    (root / "classes.yaml").write_text(
        text.replace("value: 4, before: meadow", "value: 4, before: no view")
    )
    chip = chips_of(root)[0]
    assert (chip.label[MASK == 1] == 255).all()
    assert (chip.label[15] == 0).all()


def test_a_value_that_is_not_listed_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.png: holds the value 6; classes.yaml has .*0, 4, 5"):
        chips_of(from_to(tmp_path, 6))[0]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("classes: [{name: a}, {name: a}]", "the class a occurs twice"),
        ("classes: [{name: a, value: 1}, {name: b}]", "the value 1 occurs twice"),
        ("classes: [{name: a, colour: '#ffffff'}, {name: b}]", "b has no colour"),
        (
            "classes: [{name: a, colour: white}, {name: b}]",
            'write a colour in quotes, as "#rrggbb"',
        ),
        ("classes: [{name: a, color: '#ffffff'}, {name: b}]", "no option classes.0.color"),
        ("classes: [{name: a}, {name: b}]\nunchanged: c", "c is no class of the list"),
        ("classes: [{name: a}, {name: b}]\nunknown: [a]", "fewer than two classes are left"),
        ("classes: [{name: '  '}, {name: b}]", "a name holds more than spaces"),
        ("classes: [{name: None}, {name: None}]", "the class None occurs twice"),
        (
            "classes: [{name: a}, {name: b}]\nchanges: [{value: 255, before: a, after: b}]",
            "the value 255, which is unknown",
        ),
        ("classes: [{name: a}, {name: b}]", "lists no changes"),
        ("classes: [{name: a}", "not valid YAML"),
    ],
)
def test_a_list_that_cannot_be_used_is_refused_in_one_line(
    tmp_path: Path, text: str, told: str
) -> None:
    root = from_to(tmp_path)
    (root / "classes.yaml").write_text(text)
    with pytest.raises(GeochangeError, match=r"classes\.yaml") as refused:
        open_split(root, "train")
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_changes_beside_labels_of_both_dates_are_refused(tmp_path: Path) -> None:
    (numbered(tmp_path) / "classes.yaml").write_text(CHANGES)
    with pytest.raises(InputError, match="leave changes out"):
        open_split(tmp_path, "train")


def test_masks_tell_no_classes(tmp_path: Path) -> None:
    folders("A", "B", "label")(tmp_path)
    source = open_split(tmp_path, "train")
    assert classified(source) is None
    with pytest.raises(InputError, match=r"no classes, which network\.heads semantic needs; give"):
        need_classes(source, "train")
