"""Splits are found under the names that data sets use; ambiguous names are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from chip_folders import make_chips

from geochange.dataset import has_split, open_split, splits_of, survey
from geochange.dataset.split_names import LIST, NAMES, is_there, split_path
from geochange.errors import InputError

ALIASES = [(split, name) for split, names in NAMES.items() for name in names]


@pytest.mark.parametrize("change", [str, str.upper, str.title], ids=["lower", "upper", "title"])
@pytest.mark.parametrize(("split", "name"), ALIASES)
def test_a_folder_or_a_list_is_a_split_by_its_name(
    tmp_path: Path, split: str, name: str, change: type[str]
) -> None:
    (tmp_path / change(name)).mkdir()
    (tmp_path / f"{change(name)}.txt").touch()
    assert split_path(tmp_path, split) == tmp_path / change(name)
    assert split_path(tmp_path, split, LIST) == tmp_path / f"{change(name)}.txt"
    assert is_there(tmp_path, split) and is_there(tmp_path, name)
    assert splits_of(tmp_path) == (split,) and has_split(tmp_path, name)


@pytest.mark.slow
def test_a_data_set_of_other_names_is_read(tmp_path: Path) -> None:
    make_chips(tmp_path, {"Training": 2, "valid": 1, "TEST": 1}, size=32)
    found = survey(tmp_path)
    assert {split: told.chips for split, told in found.splits.items()} == {
        "train": 2,
        "val": 1,
        "test": 1,
    }
    assert len(open_split(tmp_path, "valid")) == len(open_split(tmp_path, "val")) == 1


def test_what_lies_beside_a_split_of_its_own_name_is_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_chips(tmp_path, {"train": 1, "val": 1, "valid": 2, "Val": 1}, size=32)
    assert splits_of(tmp_path) == ("train", "val")
    open_split(tmp_path, "val")
    open_split(tmp_path, "train")
    assert sorted(caplog.messages) == [
        f"{tmp_path}: val is used for val, and Val is ignored",
        f"{tmp_path}: val is used for val, and valid is ignored",
    ]
    assert len(open_split(tmp_path, "valid")) == 2, "named, it is itself"


def test_two_that_could_be_meant_are_named_with_a_cure(tmp_path: Path) -> None:
    make_chips(tmp_path, {"train": 1, "Val": 1, "dev": 1}, size=32)
    with pytest.raises(
        InputError, match="holds Val and dev, and each may be val; rename one to val"
    ):
        splits_of(tmp_path)
    (tmp_path / "dev").rename(tmp_path / "val")
    assert splits_of(tmp_path) == ("train", "val")


def test_a_split_of_ones_own_name_is_known_by_that_alone(tmp_path: Path) -> None:
    (tmp_path / "Fold1").mkdir()
    assert split_path(tmp_path, "fold1") == tmp_path / "Fold1"
    assert split_path(tmp_path, "fold2") == tmp_path / "fold2"
    assert split_path(tmp_path / "gone", "val") == tmp_path / "gone" / "val"
