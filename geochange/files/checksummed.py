"""Bytes that end with their checksum, and removal of files or folders."""

from __future__ import annotations

import shutil
import zlib
from pathlib import Path

SUM_BYTES = 9
"""A line break and eight hexadecimal digits: the CRC-32 of all bytes before."""


def with_checksum(data: bytes) -> bytes:
    """Bytes with their checksum at the end."""
    return data + b"\n%08x" % zlib.crc32(data)


def without_checksum(found: bytes) -> bytes | None:
    """The bytes before the checksum; None if it does not match them."""
    data, told = found[:-SUM_BYTES], found[-SUM_BYTES:]
    return data if told == b"\n%08x" % zlib.crc32(data) else None


def remove(path: Path) -> None:
    """Remove a file, or a folder with its contents, if it exists. Raises OSError."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
