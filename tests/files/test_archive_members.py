"""Files in archives: their first bytes and copies, for each kind of archive."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from geochange.errors import InputError
from geochange.files import archive_members
from geochange.files.archive_members import copy_of, first_bytes
from geochange.files.archives import Member

CONTENT = bytes(range(256)) * 20


def archived(folder: Path, kind: str) -> Member:
    """CONTENT as in/a.bin."""
    path = folder / f"a.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("in/a.bin", CONTENT)
    elif kind == "tar":
        with tarfile.open(path, "w:gz") as tar:
            info = tarfile.TarInfo("in/a.bin")
            info.size = len(CONTENT)
            tar.addfile(info, io.BytesIO(CONTENT))
    else:
        path.write_bytes(gzip.compress(CONTENT))
    return Member(kind, path, "" if kind == "gzip" else "in/a.bin")


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip"])
def test_a_file_is_read_and_copied(tmp_path: Path, kind: str) -> None:
    member = archived(tmp_path, kind)
    assert first_bytes(member, 300) == CONTENT[:300]
    with copy_of(member) as path:
        assert path.read_bytes() == CONTENT
    assert not path.exists()


@pytest.mark.parametrize("kind", ["zip", "tar", "gzip"])
def test_a_damaged_archive_is_named(tmp_path: Path, kind: str) -> None:
    member = archived(tmp_path, kind)
    data = member.archive.read_bytes()
    for damaged in (data[: len(data) // 2], b"nothing of the kind"):
        member.archive.write_bytes(damaged)
        with pytest.raises(InputError, match="cannot be read from its archive; unpack it first"):
            first_bytes(member, len(CONTENT))
        with (
            pytest.raises(InputError, match="cannot be read from its archive"),
            copy_of(member),
        ):
            pass


@pytest.mark.parametrize("kind", ["zip", "tar"])
def test_a_file_that_is_not_in_it_is_named(tmp_path: Path, kind: str) -> None:
    member = archived(tmp_path, kind)
    with pytest.raises(InputError, match=r"b\.bin: cannot be read"):
        first_bytes(Member(kind, member.archive, "in/b.bin"), 1)


def test_a_file_that_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive_members, "LARGEST_COPY_BYTES", 1000)
    member = archived(tmp_path, "zip")
    with pytest.raises(InputError, match="more than 1,000 bytes; unpack it first"), copy_of(member):
        pass
