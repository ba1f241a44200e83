"""Reads files in archives without GDAL: their first bytes, or a copy of a file."""

from __future__ import annotations

import gzip
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, cast

from geochange.errors import InputError
from geochange.files.archives import ARCHIVE_ERRORS, Member

LARGEST_COPY_BYTES = 2**30
"""The largest file that is copied out of an archive."""

_PIECE_BYTES = 2**20

DAMAGED = (*ARCHIVE_ERRORS, KeyError, RuntimeError, zlib.error)
"""The same for a file in an archive: it may also be missing, encrypted, or damaged itself."""


def first_bytes(member: Member, count: int) -> bytes:
    """The first bytes of a file in an archive. Raises InputError if it cannot be read."""
    try:
        with _opened(member) as stream:
            return stream.read(count)
    except DAMAGED as error:
        raise unreadable(member) from error


@contextmanager
def copy_of(member: Member) -> Iterator[Path]:
    """A copy of a file in an archive, which is deleted afterwards.

    Raises InputError if it cannot be read, or has more than LARGEST_COPY_BYTES.
    """
    with tempfile.TemporaryDirectory(prefix="geochange-") as folder:
        path = Path(folder) / "copy"
        try:
            with _opened(member) as stream, path.open("wb") as file:
                _copy(member, stream, file)
        except DAMAGED as error:
            raise unreadable(member) from error
        yield path


def _copy(member: Member, stream: IO[bytes], file: IO[bytes]) -> None:
    copied = 0
    while piece := stream.read(_PIECE_BYTES):
        # The size that an archive states may be wrong, so the bytes themselves are counted.
        copied += len(piece)
        if copied > LARGEST_COPY_BYTES:
            raise InputError(
                f"{member.gdal_name}: has more than {LARGEST_COPY_BYTES:,} bytes; unpack it first"
            )
        file.write(piece)


@contextmanager
def _opened(member: Member) -> Iterator[IO[bytes]]:
    if member.kind == "zip":
        with zipfile.ZipFile(member.archive) as archive, archive.open(member.name) as stream:
            yield stream
    elif member.kind == "tar":
        with tarfile.open(member.archive) as tar:
            unpacked = tar.extractfile(member.name)
            if unpacked is None:
                raise KeyError(member.name)
            yield unpacked
    else:
        with gzip.open(member.archive) as whole:
            yield cast(IO[bytes], whole)


def unreadable(member: Member) -> InputError:
    """The error for a file that cannot be read from its archive."""
    return InputError(f"{member.gdal_name}: cannot be read from its archive; unpack it first")
