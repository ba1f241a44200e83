"""A small file is read as it was written, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from geochange.files.checksummed import remove, with_checksum, without_checksum


@pytest.mark.parametrize("data", [b"", b"\n", b"some bytes", bytes(range(256)) * 9])
def test_what_has_a_checksum_is_read(data: bytes) -> None:
    assert without_checksum(with_checksum(data)) == data


def test_every_flipped_bit_is_noticed() -> None:
    whole = with_checksum(b"some bytes")
    assert without_checksum(b"") is None
    for place in range(len(whole)):
        assert without_checksum(whole[:place]) is None
        assert (
            without_checksum(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]) is None
        )


def test_a_file_a_folder_a_link_and_nothing_are_removed(tmp_path: Path) -> None:
    (tmp_path / "folder" / "inner").mkdir(parents=True)
    (tmp_path / "folder" / "inner" / "file").write_text("")
    (tmp_path / "link").symlink_to("folder")
    remove(tmp_path / "link")
    assert (tmp_path / "folder" / "inner" / "file").exists()
    for name in ("folder", "nothing"):
        remove(tmp_path / name)
    assert list(tmp_path.iterdir()) == []
