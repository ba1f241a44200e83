"""Names of files in archives: URIs and /vsi names, from any working folder."""

from __future__ import annotations

import nturl2path
import tarfile
import zipfile
from pathlib import Path

import pytest

from geochange.errors import InputError
from geochange.files.archives import file_on_disk, gdal_name, kind_of, list_names, members_of, split


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return path


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    zipped(tmp_path / "a.zip", "in/b.tif")
    zipped(tmp_path / "a!b.zip", "in/b.tif")
    (tmp_path / "c.tif.gz").write_bytes(b"x")
    return tmp_path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("a.zip", "{here}/a.zip"),
        ("zip://a.zip", "{here}/a.zip"),
        ("zip://a.zip!in/b.tif", "/vsizip/{here}/a.zip/in/b.tif"),
        ("zip://{here}/a.zip!/in/b.tif", "/vsizip/{here}/a.zip/in/b.tif"),
        ("ZIP://a.zip!in/b.tif", "/vsizip/{here}/a.zip/in/b.tif"),
        ("zip+file://a.zip!in/b.tif", "/vsizip/{here}/a.zip/in/b.tif"),
        ("zip://a!b.zip!in/b.tif", "/vsizip/{here}/a!b.zip/in/b.tif"),
        ("/vsizip/a.zip/in/b.tif", "/vsizip/{here}/a.zip/in/b.tif"),
        ("/vsizip/{here}/a.zip/in/b.tif", "/vsizip/{here}/a.zip/in/b.tif"),
        ("/vsizip{here}/a.zip/in/b.tif", "/vsizip/{here}/a.zip/in/b.tif"),
        ("/vsizip/{{{here}/a.zip}}/in/b.tif", "/vsizip/{here}/a.zip/in/b.tif"),
        ("/vsizip/{here}/a.zip", "{here}/a.zip"),
        ("gzip://c.tif.gz", "/vsigzip/{here}/c.tif.gz"),
        ("/vsigzip/c.tif.gz", "/vsigzip/{here}/c.tif.gz"),
        ("file://{here}/a.zip", "{here}/a.zip"),
        ("file://{here}/a%20b.tif", "{here}/a b.tif"),
        ("zip+https://host/a.zip!b.tif", "/vsizip//vsicurl/https://host/a.zip/b.tif"),
        ("tar+http://host/a.tar!b.tif", "/vsitar//vsicurl/http://host/a.tar/b.tif"),
        ("zip+s3://bucket/a.zip!b.tif", "/vsizip//vsis3/bucket/a.zip/b.tif"),
        ("https://host/a.tif", "https://host/a.tif"),
        ("s3://bucket/a.zip", "s3://bucket/a.zip"),
        ("gone.tif", "gone.tif"),
        ("/vsizip/gone.zip/b.tif", "/vsizip/gone.zip/b.tif"),
        ("", ""),
        ("~nobody-of-this-name/a.tif", "~nobody-of-this-name/a.tif"),
        ("x" * 5000, "x" * 5000),
        ("a\0b", "a\0b"),
    ],
)
def test_a_name_becomes_what_gdal_calls_it(here: Path, text: str, name: str) -> None:
    assert gdal_name(text.format(here=here)) == name.format(here=here)


def test_a_drive_of_windows_comes_out_of_its_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("urllib.request.url2pathname", nturl2path.url2pathname)
    assert gdal_name("file:///C:/before%20it.tif") == r"C:\before it.tif"


@pytest.mark.parametrize(
    "name", ["zip:x", "~a", "a#b", "a!b", "file:x", "GTI:x", "a.zip!b", " a ", "a\nb", "http:b"]
)
def test_a_file_of_that_very_name_is_meant_first(here: Path, name: str) -> None:
    (here / name).touch()
    assert gdal_name(name) == str(here / name)


def test_what_lies_in_which_archive(here: Path) -> None:
    found = split(f"/vsizip/{here}/a.zip/in/b.tif")
    assert found is not None
    assert (found.kind, found.archive, found.name) == ("zip", here / "a.zip", "in/b.tif")
    # pathlib drops a slash of such a name, which means the same.
    assert split(str(Path(f"/vsizip/{here}/a.zip/in/b.tif"))) == found
    assert split(str(here / "a.zip")) is None
    assert file_on_disk(found.gdal_name) == here / "a.zip"
    assert file_on_disk(here / "c.tif") == here / "c.tif"


def test_archives_are_known_by_their_names() -> None:
    kinds = {
        "a.zip": "zip",
        "A.SAFE.ZIP": "zip",
        "a.kmz": "zip",
        "a.tar": "tar",
        "a.tar.gz": "tar",
        "a.tgz": "tar",
        "a.tif.gz": "gzip",
        "a.tif": None,
        "zip": None,
    }
    assert {name: kind_of(name) for name in kinds} == kinds


def test_hidden_files_are_no_members(tmp_path: Path) -> None:
    names = ("a.tif", "in/b.tif", "__MACOSX/._a.tif", ".DS_Store", "in/.c.tif")
    assert members_of(zipped(tmp_path / "a.zip", *names)) == ("a.tif", "in/b.tif")
    for suffix, mode in ((".tar", "w"), (".tar.gz", "w:gz")):
        path = tmp_path / f"a{suffix}"
        (tmp_path / "x.tif").touch()
        with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
            archive.add(tmp_path / "x.tif", "./in/x.tif")
        assert members_of(path) == ("in/x.tif",)


def test_damaged_archives_and_locked_ones_are_named(tmp_path: Path) -> None:
    for name in ("a.zip", "a.tar", "a.tar.gz"):
        (tmp_path / name).write_bytes(b"no archive")
        with pytest.raises(InputError, match=rf"{name}: damaged, or not an archive"):
            members_of(tmp_path / name)
    path = zipped(tmp_path / "locked.zip", "a.tif")
    data = bytearray(path.read_bytes())
    for start, at in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(start) + at] |= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match="needs a password; unpack it first"):
        members_of(path)


def test_a_long_list_is_cut() -> None:
    assert list_names(["a", "b"]) == "a, b"
    assert list_names(list("abcdef")) == "a, b, c, d and 2 more"
