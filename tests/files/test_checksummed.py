"""A small file is read as it was written, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_damage import DAMAGES

from geochange.files.checksummed import read_checksummed, remove, write_checksummed


@pytest.mark.parametrize("data", [b"", b"\n", b"some bytes", bytes(range(256)) * 9])
def test_what_is_written_is_read(data: bytes, tmp_path: Path) -> None:
    write_checksummed(tmp_path / "a", data)
    assert read_checksummed(tmp_path / "a") == data
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_damaged_is_not_read_and_written_anew(damage: str, tmp_path: Path) -> None:
    write_checksummed(tmp_path / "a", b"some bytes")
    DAMAGES[damage](tmp_path / "a")
    assert read_checksummed(tmp_path / "a") is None
    write_checksummed(tmp_path / "a", b"other bytes")
    assert read_checksummed(tmp_path / "a") == b"other bytes"


def test_every_flipped_bit_is_noticed(tmp_path: Path) -> None:
    file = tmp_path / "a"
    write_checksummed(file, b"some bytes")
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert read_checksummed(file) is None


def test_a_file_a_folder_a_link_and_nothing_are_removed(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "file").write_text("")
    (tmp_path / "link").symlink_to("folder")
    remove(tmp_path / "link")
    assert (tmp_path / "folder" / "inner" / "file").exists()
    for name in ("folder", "nothing"):
        remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
