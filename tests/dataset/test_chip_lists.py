"""Lists of chips: a written list is read again; other files are neither read nor overwritten."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geochange.dataset.chip_lists import is_list, listed_path, read_list, write_lists
from geochange.dataset.chip_record import Record
from geochange.errors import InputError, OutputError


def chip(root: Path, name: str) -> Record:
    return Record(*(root / "train" / kind / name for kind in ("time1", "time2", "label")))


def test_a_line_is_as_published(tmp_path: Path) -> None:
    write_lists({tmp_path / "train.txt": [chip(tmp_path, "00 1.png")]}, tmp_path)
    assert (tmp_path / "train.txt").read_bytes() == (
        b"train/time1/00 1.png  train/time2/00 1.png  train/label/00 1.png\n"
    )


WORD = st.text(
    st.characters(categories=("L", "N"), include_characters="-_.'()"), min_size=1
).filter(lambda word: word.strip(".") != "")
NAME = st.lists(WORD, min_size=1, max_size=3).map(" ".join)


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(st.tuples(NAME, NAME, NAME), min_size=1, max_size=5))
def test_lists_round_trip(names: list[tuple[str, str, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root, file = Path(folder), Path(folder) / "train.txt"
        chips = tuple(Record(*(root / f"{name}.png" for name in three)) for three in names)
        write_lists({file: chips}, root)
        assert read_list(file, root) == chips
        assert is_list(file)


def test_paths_elsewhere_stay_absolute(tmp_path: Path) -> None:
    root, other = tmp_path / "a", tmp_path / "b" / "x.png"
    assert listed_path(other, root) == other.as_posix()
    assert listed_path(root / "c" / "x.png", root) == "c/x.png"
    file = tmp_path / "train.txt"
    write_lists({file: [Record(other, root / "x.png", root / "y.png")]}, root)
    assert file.read_text() == f"{other.as_posix()}  x.png  y.png\n"
    assert read_list(file, root)[0].before == other


def test_other_hands_line_ends_are_read(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    file.write_bytes(b"\xef\xbb\xbfa 1.png  b.png   c.png \r\n\r\nd.png  e.png  f.png")
    chips = read_list(file, tmp_path)
    assert [one.before.name for one in chips] == ["a 1.png", "d.png"]
    assert [one.label.name for one in chips] == ["c.png", "f.png"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a.png  b.png  c.png\na.png b.png\n", "line 2: does not hold three paths"),
        ("a.png  b.png\n", "line 1"),
        ("a.png  b.png  c.png  d.png\n", "line 1"),
        ("\n\n", "lists no chip"),
        ("a.png\0  b.png  c.png\n", "line 1"),
    ],
)
def test_damaged_lists_are_refused(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "train.txt"
    file.write_text(text)
    with pytest.raises(InputError, match=f"train.txt.*{told}"):
        read_list(file, tmp_path)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_bytes(b"\xff\xfe\x00\x01")
    for name, told in (("train.txt", "it is not text"), ("val.txt", "No such file")):
        with pytest.raises(InputError, match=f"{name}: cannot be read .{told}"):
            read_list(tmp_path / name, tmp_path)


def test_names_that_a_list_cannot_hold_are_refused(tmp_path: Path) -> None:
    for name in ("a  b.png", "a\n.png", "a.png "):
        with pytest.raises(InputError, match="a list cannot hold this name"):
            write_lists({tmp_path / "train.txt": [chip(tmp_path, name)]}, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_all_are_written_or_none(tmp_path: Path) -> None:
    (tmp_path / "val.txt").write_text("buy milk\n")
    lists = {tmp_path / f"{split}.txt": [chip(tmp_path, "a.png")] for split in ("train", "val")}
    with pytest.raises(OutputError, match=r"val\.txt: exists and is not a list of chips"):
        write_lists(lists, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["val.txt"]
    assert (tmp_path / "val.txt").read_text() == "buy milk\n"


def test_lists_are_replaced(tmp_path: Path) -> None:
    file = tmp_path / "train.txt"
    for name in ("a.png", "b.png"):
        write_lists({file: [chip(tmp_path, name)]}, tmp_path)
    assert read_list(file, tmp_path) == (chip(tmp_path, "b.png"),)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot be written"):
        write_lists({tmp_path / "nowhere" / "train.txt": [chip(tmp_path, "a.png")]}, tmp_path)


def test_pictures_alone_make_a_list(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one  two  three\n")
    assert not is_list(tmp_path / "a.txt")


@pytest.mark.parametrize(
    ("line", "paths"),
    [
        ("a.png b.png c.png", ("a.png", "b.png", "c.png")),
        ("a.png   b.png c.png", ("a.png", "b.png", "c.png")),
        ("a 1.png\tb 1.png \t c 1.png", ("a 1.png", "b 1.png", "c 1.png")),
        ("a 1.png  b 1.png\tc 1.png", ("a 1.png", "b 1.png", "c 1.png")),
        ("a 1.png  b.png", None),
        ("a 1.png b 1.png c 1.png", None),
        ("a.png b.png", None),
    ],
)
def test_any_white_space_separates_paths_where_it_can_mean_nothing_else(
    tmp_path: Path, line: str, paths: tuple[str, ...] | None
) -> None:
    file = tmp_path / "train.txt"
    file.write_text(line)
    if paths is None:
        with pytest.raises(InputError, match="line 1: does not hold three paths; write before"):
            read_list(file, tmp_path)
    else:
        (one,) = read_list(file, tmp_path)
        assert one == Record(*(tmp_path / path for path in paths))
