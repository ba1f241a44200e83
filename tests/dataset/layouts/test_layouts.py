"""Layouts: each is found by looking, and its chips are read as they were planted; on disk and zipped."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from layout_sets import SETS, Planted, folders, s2looking, zipped

from geochange.dataset import FileChips, open_split, splits_of, survey
from geochange.dataset.layouts import LAYOUTS, distinct_layouts, find_layout
from geochange.dataset.layouts.find_split import layout_of
from geochange.errors import InputError
from geochange.training.data.chip_source import ChipSource

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

IN_ARCHIVES = [name for name in SETS if name != "stac"]


def test_every_layout_has_a_generator() -> None:
    assert distinct_layouts().keys() == SETS.keys()


def test_every_layout_is_in_the_docs() -> None:
    page = (Path(__file__).parents[3] / "docs" / "training.md").read_text("utf-8")
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    named = {word.strip("` ,") for row in rows for word in row.split()}
    assert named >= LAYOUTS.keys()


@pytest.fixture(scope="module", params=SETS)
def planted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Path, dict[str, list[Planted]]]:
    """A layout, the root of its data set, and the chips in it."""
    root = tmp_path_factory.mktemp(request.param) / "set"
    root.mkdir()
    return request.param, root, SETS[request.param](root)


def assert_as_planted(source: ChipSource, chips: list[Planted]) -> None:
    assert [source.name(number) for number in range(len(source))] == [c.name for c in chips]
    for number, chip in enumerate(chips):
        read = source[number]
        np.testing.assert_array_equal(read.before, chip.before)
        np.testing.assert_array_equal(read.after, chip.after)
        np.testing.assert_array_equal(read.label, chip.label)


@pytest.mark.slow
def test_a_data_set_is_recognised_and_read_as_planted(
    planted: tuple[str, Path, dict[str, list[Planted]]],
) -> None:
    name, root, chips = planted
    assert splits_of(root) == tuple(chips)
    for split, expected in chips.items():
        assert layout_of(root, split) == name
        assert_as_planted(open_split(root, split), expected)
        assert_as_planted(open_split(root, split, layout=name), expected)


@pytest.mark.slow
def test_a_survey_says_what_would_be_taken(
    planted: tuple[str, Path, dict[str, list[Planted]]],
) -> None:
    name, root, chips = planted
    found = survey(root)
    assert found.layouts == dict.fromkeys(chips, name)
    for split, expected in chips.items():
        told = found.splits[split]
        assert told.chips == len(expected)
        assert told.changed_px == sum(int((chip.label == 1).sum()) for chip in expected)
        assert told.unknown_px == sum(int((chip.label == 255).sum()) for chip in expected)
        assert told.folders
    json.dumps(found.to_json())


@pytest.mark.slow
@pytest.mark.parametrize("top", ["", "THE SET/"])
def test_a_zip_archive_is_read_in_place(
    planted: tuple[str, Path, dict[str, list[Planted]]], tmp_path: Path, top: str
) -> None:
    name, root, chips = planted
    if name not in IN_ARCHIVES:
        pytest.skip("the pictures of STAC items are not read from archives")
    archive = zipped(root, tmp_path / "the set.zip", top)
    assert splits_of(archive) == tuple(chips)
    split, expected = next(iter(chips.items()))
    source = open_split(archive, split)
    assert_as_planted(source, expected)
    assert not source.pictures(0)[0].startswith("/"), "names in lists are relative to the set"
    assert list(tmp_path.iterdir()) == [archive]


def test_names_of_one_layout_are_one_layout(tmp_path: Path) -> None:
    chips = SETS["sysu"](tmp_path)
    for name in ("sysu", "clcd"):
        assert_as_planted(open_split(tmp_path, "train", layout=name), chips["train"])
    assert find_layout(tmp_path) == "sysu" and LAYOUTS["xview2"] == LAYOUTS["xbd"]


def test_two_layouts_that_fit_are_refused_with_the_cure(tmp_path: Path) -> None:
    folders("A", "B", "label")(tmp_path)
    folders("A", "B", "OUT")(tmp_path)
    with pytest.raises(InputError, match=r"\(levir\) and A/ B/ OUT/ \(cdd\).*--layout=levir"):
        open_split(tmp_path, "train")
    assert len(open_split(tmp_path, "train", layout="cdd")) == 1


def test_what_is_not_read_is_named(tmp_path: Path) -> None:
    s2looking(tmp_path)
    (tmp_path / "train" / "Image1" / "notes.doc").touch()
    told = survey(tmp_path).splits["train"]
    assert told.folders == ("Image1", "Image2", "label")
    assert told.ignored == ("label1/, label2/", "notes.doc")


def test_archives_beside_each_other_are_folders(tmp_path: Path) -> None:
    """As data sets are published: an archive for each split or kind."""
    chips = SETS["second"](tmp_path / "all")
    (tmp_path / "packed").mkdir()
    for split in chips:
        zipped(tmp_path / "all" / split, tmp_path / "packed" / f"{split}.zip", f"{split}/")
    for split, expected in chips.items():
        assert_as_planted(open_split(tmp_path / "packed", split), expected)


def test_classes_of_both_dates_are_kept(tmp_path: Path) -> None:
    SETS["second"](tmp_path)
    source = open_split(tmp_path, "train")
    assert isinstance(source, FileChips)
    classes = source.classes(0)
    assert classes is not None
    names = [classes.names[number] for number in (classes.before[3, 4], classes.after[3, 4])]
    assert names == ["tree", "building"]
    np.testing.assert_array_equal(classes.change(), source[0].label)


@pytest.mark.slow
def test_cities_with_bands_as_they_were_delivered(tmp_path: Path) -> None:
    """imgs_1 and imgs_2 alone, with long names of files, everything in one folder a city."""
    chips = SETS["oscd"](tmp_path / "published")
    for number, (split, (chip,)) in enumerate(chips.items()):
        place = tmp_path / "set" / chip.name
        for date in "12":
            for band in (tmp_path / "published").glob(f"*Images/{chip.name}/imgs_{date}_rect/*"):
                target = place / f"imgs_{date}" / f"S2A_OPER_T{number}_{band.name}"
                target.parent.mkdir(parents=True, exist_ok=True)
                band.rename(target)
        next((tmp_path / "published").glob(f"*Labels/{chip.name}/cm")).rename(place / "cm")
        (tmp_path / "set" / f"{split}.txt").write_text(f"{chip.name},")
    for split, expected in chips.items():
        assert_as_planted(open_split(tmp_path / "set", split), expected)
    red = open_split(tmp_path / "set", "train")[0].before[..., 0]
    np.testing.assert_array_equal(
        open_split(tmp_path / "set", "train", bands="9,8,4")[0].before[..., 2], red
    )
