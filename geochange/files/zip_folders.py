"""The folders of a zip archive, which are read in place. Names that lead out of it are refused."""

from __future__ import annotations

import os
import zipfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from geochange.errors import InputError
from geochange.files.archive_members import DAMAGED, unreadable
from geochange.files.archives import Member, members_of

MOST_FILES = 2_000_000
"""The largest number of files in an archive."""

DEEPEST = 32
"""The largest number of folders above a file in an archive."""


@dataclass(frozen=True)
class ZipFolders:
    """The files and the folders in each folder of an archive, sorted by name; "" is its top.

    start: the folder that stands for the archive: its only content, if it has the archive's name.
    """

    files: dict[str, list[str]]
    folders: dict[str, list[str]]
    start: str


def folders_of(inside: Member) -> ZipFolders:
    """The folders of an archive. Raises InputError for a damaged or hostile one."""
    if inside.kind != "zip":
        raise InputError(
            f"{inside.archive}: folders are read from .zip alone; unpack it, or pack it as .zip"
        )
    told = inside.archive.stat()
    return _read(inside.archive, (told.st_mtime_ns, told.st_size))


def read_member(inside: Member, most: int) -> bytes:
    """At most so many first bytes of a file in an archive, which stays open for the next.

    Raises InputError if it cannot be read.
    """
    try:
        told = inside.archive.stat()
        archive = _opened(inside.archive, (told.st_mtime_ns, told.st_size), os.getpid())
        with archive.open(inside.name) as stream:
            return stream.read(most)
    except DAMAGED as error:
        raise unreadable(inside) from error


@lru_cache(maxsize=4)
def _opened(archive: Path, version: tuple[int, int], process: int) -> zipfile.ZipFile:
    """An archive of data; listing tens of thousands of files for each of them takes too long.

    process: a forked process opens it anew, because the position in a file is shared.
    """
    return zipfile.ZipFile(archive)


@lru_cache(maxsize=64)
def _read(archive: Path, version: tuple[int, int]) -> ZipFolders:
    """version: the time of the last modification and the size; another version is read anew."""
    names = members_of(archive)
    if len(names) > MOST_FILES:
        raise InputError(f"{archive}: holds over {MOST_FILES:,} files; unpack it")
    files: dict[str, set[str]] = {"": set()}
    folders: dict[str, set[str]] = {"": set()}
    for name in names:
        parts = _checked_parts(archive, name)
        above = ["/".join(parts[:depth]) for depth in range(len(parts))]
        for folder, below in zip(above, parts[:-1], strict=False):
            folders.setdefault(folder, set()).add(below)
        folders.setdefault(above[-1], set())
        files.setdefault(above[-1], set()).add(parts[-1])
    only = folders[""]
    is_same = not files[""] and {name.lower() for name in only} == {archive.stem.lower()}
    return ZipFolders(
        {folder: sorted(held) for folder, held in files.items()},
        {folder: sorted(held) for folder, held in folders.items()},
        min(only) if is_same else "",
    )


def _checked_parts(archive: Path, name: str) -> list[str]:
    """The parts of a name. Raises InputError for a name that leads out of the archive."""
    parts = name.split("/")
    is_odd = ".." in parts or "" in parts or "\\" in name or not name.isprintable()
    if is_odd or len(parts) > DEEPEST:
        raise InputError(
            f"{archive}: holds a file called {name[:80]!r}, which is no plain path; pack it again"
        )
    return parts
