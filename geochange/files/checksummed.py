"""Small files of a work folder that end with their checksum."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

SUM_BYTES = 9
"""A line break and eight hexadecimal digits: the CRC-32 of all bytes before."""


def write_checksummed(path: Path, data: bytes) -> None:
    """Write a file atomically. An existing file or folder of that name is replaced. Raises OSError."""
    aside = path.with_name(f"{path.name}.part")
    for place in (aside, path):
        if place.is_dir():
            remove(place)
    aside.write_bytes(data + b"\n%08x" % zlib.crc32(data))
    aside.replace(path)


def read_checksummed(path: Path) -> bytes | None:
    """The bytes that were written; None if the file is missing or its checksum does not match."""
    try:
        found = path.read_bytes()
    except OSError:
        return None
    data, told = found[:-SUM_BYTES], found[-SUM_BYTES:]
    return data if told == b"\n%08x" % zlib.crc32(data) else None


def remove(path: Path) -> None:
    """Remove a file, or a folder with its contents, if it exists. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
