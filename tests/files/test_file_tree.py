"""Folders on disk and in zip archives look alike; hostile archives are refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from geochange.errors import InputError
from geochange.files import zip_folders
from geochange.files.file_tree import (
    archive_root,
    files_in,
    folders_in,
    is_file,
    is_folder,
    read_file,
    subfolder,
    walk,
)
from geochange.files.zip_folders import DEEPEST

FILES = ("set/train/A/1.png", "set/train/A/2.png", "set/train/B/1.png", "set/notes.txt")


@pytest.fixture(params=["on disk", "in an archive", "beside the archive"])
def top(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The folder `set` with FILES, however it is kept."""
    if request.param == "on disk":
        for name in FILES:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(name)
        return tmp_path / "set"
    place = tmp_path / "set.zip"
    pack(place, *FILES, "set/.hidden", "__MACOSX/set/._1.png")
    found = archive_root(place) if request.param == "in an archive" else subfolder(tmp_path, "set")
    assert found is not None
    return found


def pack(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as file:
        for name in names:
            file.writestr(name, name)
    return path


def test_folders_look_alike(top: Path) -> None:
    assert list(folders_in(top)) == ["train"]
    assert [path.name for path in files_in(top)] == ["notes.txt"]
    dates = subfolder(top, "train", "A")
    assert dates is not None and is_folder(dates) and not is_file(dates)
    assert [path.name for path in files_in(dates)] == ["1.png", "2.png"]
    assert is_file(dates / "1.png") and not is_file(dates / "3.png")
    assert read_file(dates / "2.png", 100, "a picture") == b"set/train/A/2.png"
    assert subfolder(top, "train", "C") is None and not is_folder(top / "nowhere")
    assert sorted(path.name for path in walk(top)) == ["1.png", "1.png", "2.png", "notes.txt"]


def test_a_file_that_is_too_large_is_refused(top: Path) -> None:
    with pytest.raises(InputError, match="too large for a list"):
        read_file(files_in(top)[0], 3, "a list")


@pytest.mark.parametrize(
    "name",
    [
        "../out.png",
        "a/../../out.png",
        "/etc/passwd",
        "a\\b.png",
        "a//b.png",
        "a\n.png",
        "a/" * DEEPEST + "b",
    ],
)
def test_an_archive_with_names_that_lead_out_is_refused(tmp_path: Path, name: str) -> None:
    place = pack(tmp_path / "set.zip", "a/1.png", name)
    with pytest.raises(
        InputError, match=r"set\.zip: holds a file called .* pack it again"
    ) as refused:
        folders_in(archive_root(place))
    assert "\n" not in str(refused.value)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    place = pack(tmp_path / "set.zip", *FILES)
    place.write_bytes(place.read_bytes()[:-30])
    with pytest.raises(InputError, match=r"set\.zip: damaged, or not an archive"):
        folders_in(archive_root(place))


def test_an_archive_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    place = pack(tmp_path / "set.zip", "a/1.png")
    assert list(folders_in(archive_root(place))) == ["a"]
    pack(place, "b/1.png", "c/1.png")
    assert list(folders_in(archive_root(place))) == ["b", "c"]


def test_a_damaged_file_in_an_archive_is_refused(tmp_path: Path) -> None:
    place = tmp_path / "set.zip"
    with zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a/1.json", "0123456789" * 500)
    packed = bytearray(place.read_bytes())
    packed[50:60] = bytes(10)
    place.write_bytes(packed)
    (member,) = files_in(archive_root(place) / "a")
    with pytest.raises(InputError, match=r"a/1\.json: cannot be read from its archive; unpack it"):
        read_file(member, 10_000, "a label")
    with pytest.raises(InputError, match=r"a/2\.json: cannot be read from its archive"):
        read_file(member.with_name("2.json"), 10_000, "a label")


def test_another_process_opens_an_archive_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A forked process shares the position in an open file."""
    opened: list[Path] = []
    real = zipfile.ZipFile

    def counted(path: Path) -> zipfile.ZipFile:
        opened.append(path)
        return real(path)

    (member,) = files_in(archive_root(pack(tmp_path / "set.zip", "a/1")) / "a")
    monkeypatch.setattr(zip_folders.zipfile, "ZipFile", counted)
    for process in (1, 1, 2):
        monkeypatch.setattr(zip_folders.os, "getpid", lambda number=process: number)
        assert read_file(member, 100, "a file") == b"a/1"
    assert len(opened) == 2
