"""Layouts: every row of the table is detected, and its chips are read in the order of names."""

from __future__ import annotations

from pathlib import Path

import pytest

from geochange.dataset.chip_record import Record
from geochange.dataset.layouts import find_layout
from geochange.dataset.layouts.layout import IGNORED_SUFFIXES, UNSUPPORTED_SUFFIXES
from geochange.dataset.layouts.picture_folders import PICTURE_FOLDERS, PictureFolders
from geochange.errors import InputError
from geochange.raster.pictures.image import SUFFIXES

MASKS = {
    name: each
    for name, each in PICTURE_FOLDERS.items()
    if isinstance(each, PictureFolders) and each.legend is None
}
SYSU = MASKS["sysu"]


def records(root: Path, layout: PictureFolders, split: str) -> tuple[Record, ...]:
    return layout.find(root, split).records


def lay_out(root: Path, layout: PictureFolders, *names: str, split: str = "train") -> Path:
    """Empty files in all three folders of a split."""
    for folder in layout.folders:
        place = root / split / folder
        place.mkdir(parents=True, exist_ok=True)
        for name in names:
            (place / name).touch()
    return root


@pytest.mark.parametrize("split", ["train", "val", "test"])
@pytest.mark.parametrize("name", MASKS)
def test_a_layout_is_found_and_read(tmp_path: Path, name: str, split: str) -> None:
    layout = MASKS[name]
    lay_out(tmp_path, layout, "b.png", "a.png", "C.png", split=split)
    found = find_layout(tmp_path)
    assert found is not None and MASKS[found] == layout
    chips = records(tmp_path, layout, split)
    assert [chip.name for chip in chips] == ["C", "a", "b"]
    files = [[chip.before, chip.after, chip.label] for chip in chips]
    assert [path.parent.name for path in files[0] if isinstance(path, Path)] == list(layout.folders)
    assert all(isinstance(path, Path) and path.is_file() for three in files for path in three)


def test_nothing_is_found_where_a_folder_lacks(tmp_path: Path) -> None:
    assert find_layout(tmp_path) is None
    (tmp_path / "train" / "A").mkdir(parents=True)
    (tmp_path / "train" / "B").mkdir()
    assert find_layout(tmp_path) is None


@pytest.mark.parametrize("suffix", [*SUFFIXES, *map(str.upper, SUFFIXES)])
def test_twins_may_differ_in_suffix(tmp_path: Path, suffix: str) -> None:
    lay_out(tmp_path, SYSU, "a.b.png")
    label = tmp_path / "train" / "label"
    (label / "a.b.png").rename(label / f"a.b{suffix}")
    (chip,) = records(tmp_path, SYSU, "train")
    assert isinstance(chip.before, Path) and isinstance(chip.label, Path)
    assert (chip.name, chip.before.name, chip.label.name) == ("a.b", "a.b.png", f"a.b{suffix}")


def test_what_lies_beside_pictures_is_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    beside = (
        "._a.png",
        "Thumbs.db",
        "a.png.aux.xml",
        *(f"a{suffix}" for suffix in IGNORED_SUFFIXES),
    )
    lay_out(tmp_path, SYSU, "a.png", *beside)
    (tmp_path / "train" / "time1" / "b.png").mkdir()
    assert [chip.name for chip in records(tmp_path, SYSU, "train")] == ["a"]
    assert caplog.text == ""


@pytest.mark.parametrize("folder", SYSU.folders)
@pytest.mark.parametrize("suffix", [*UNSUPPORTED_SUFFIXES, ".GIF"])
def test_a_picture_that_is_not_read_is_named(tmp_path: Path, suffix: str, folder: str) -> None:
    lay_out(tmp_path, SYSU, "a.png")
    odd = tmp_path / "train" / folder / f"b{suffix}"
    odd.touch()
    said = rf"/{folder}/b\{suffix}: chips are not read from \{suffix.lower()}; save them as \.png"
    with pytest.raises(InputError, match=said):
        records(tmp_path, SYSU, "train")
    odd.unlink()
    assert len(records(tmp_path, SYSU, "train")) == 1


def test_what_may_be_a_picture_is_warned_of(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lay_out(tmp_path, SYSU, "a.png", "b.dat", "c")
    assert [chip.name for chip in records(tmp_path, SYSU, "train")] == ["a"]
    assert len(caplog.messages) == 3
    folder = tmp_path / "train" / "label"
    assert caplog.messages[-1] == f"{folder}: ignores files that are not pictures: b.dat, c"


@pytest.mark.parametrize("folder", SYSU.folders)
def test_a_missing_twin_is_named(tmp_path: Path, folder: str) -> None:
    lay_out(tmp_path, SYSU, "a.png", "b.png")
    (tmp_path / "train" / folder / "b.png").unlink()
    with pytest.raises(
        InputError, match=rf"b\.png: has no counterpart in \S*/{folder}; add b there"
    ):
        records(tmp_path, SYSU, "train")


def test_two_of_one_name_are_refused(tmp_path: Path) -> None:
    lay_out(tmp_path, SYSU, "a.png")
    (tmp_path / "train" / "time2" / "a.TIF").touch()
    with pytest.raises(InputError, match=r"time2/a\.png: has the same name as a\.TIF"):
        records(tmp_path, SYSU, "train")


def test_empty_and_missing_splits_are_refused(tmp_path: Path) -> None:
    lay_out(tmp_path, SYSU)
    with pytest.raises(InputError, match="train: holds no chips"):
        records(tmp_path, SYSU, "train")
    with pytest.raises(InputError, match="test: no such folder; the splits that are there: train"):
        records(tmp_path, SYSU, "test")
    with pytest.raises(InputError, match="train/A: no such folder"):
        records(tmp_path, MASKS["levir"], "train")
