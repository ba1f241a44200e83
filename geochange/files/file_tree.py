"""Folders and files on disk, or in zip archives that are read in place.

An archive that lies in a folder is a folder of its name without suffix. Nothing is unpacked. A path
in an archive is a Path that starts with /vsizip/, as GDAL names it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from geochange.errors import InputError
from geochange.files.archives import Member, file_on_disk, split
from geochange.files.bounded_read import read_bytes
from geochange.files.zip_folders import MOST_FILES, folders_of, read_member

ZIP = ".zip"

DEEPEST = 8
"""The depth to which folders are walked."""


def archive_root(path: Path) -> Path:
    """The top of a zip archive as a folder. Other paths are returned unchanged."""
    if path.suffix.lower() == ZIP and path.is_file():
        return Path(f"/vsizip/{path.absolute()}")
    return path


def is_folder(path: Path) -> bool:
    """Whether a path is a folder on disk, a zip archive, or a folder in one."""
    inside = split(str(path))
    return path.is_dir() if inside is None else _name_in(inside) in folders_of(inside).folders


def is_file(path: Path) -> bool:
    """Whether a path is a file on disk, or in an archive."""
    inside = split(str(path))
    if inside is None:
        return path.is_file()
    folder, _, name = inside.name.rpartition("/")
    return name in folders_of(inside).files.get(folder, ())


def folders_in(folder: Path) -> dict[str, Path]:
    """The folders in a folder by name, sorted, without hidden ones. Archives count as folders."""
    inside = split(str(folder))
    if inside is None:
        return _folders_on_disk(folder)
    start = _name_in(inside)
    return {
        name: _member_path(inside, start, name)
        for name in folders_of(inside).folders.get(start, ())
    }


def files_in(folder: Path) -> list[Path]:
    """The files in a folder, sorted by name, without hidden ones."""
    inside = split(str(folder))
    if inside is not None:
        start = _name_in(inside)
        return [
            _member_path(inside, start, name) for name in folders_of(inside).files.get(start, ())
        ]
    with os.scandir(folder) as entries:
        paths = [entry.path for entry in entries if entry.name[0] != "." and entry.is_file()]
    return sorted(map(Path, paths))


def subfolder(folder: Path, *names: str) -> Path | None:
    """The folder below a folder, by the names on the way. None if there is none."""
    found: Path | None = folder if is_folder(folder) else None
    for name in names:
        if found is None:
            return None
        on_disk = found / name
        is_plain = split(str(found)) is None and on_disk.is_dir()
        found = on_disk if is_plain else folders_in(found).get(name)
    return found


def walk(folder: Path, depth: int = DEEPEST) -> Iterator[Path]:
    """All files below a folder, to a depth. Raises InputError for too many."""
    count, waiting = 0, [(folder, depth)]
    while waiting:
        here, left = waiting.pop()
        for file in files_in(here):
            count += 1
            if count > MOST_FILES:
                raise InputError(f"{folder}: holds over {MOST_FILES:,} files; name a smaller one")
            yield file
        if left > 0:
            waiting += [(place, left - 1) for place in reversed(folders_in(here).values())]


def read_file(path: Path, most: int, what: str) -> bytes:
    """The bytes of a file on disk or in an archive.

    most: the size limit. what: the kind of file, such as "a list". Raises InputError for a larger
    file, or one that cannot be read.
    """
    inside = split(str(path))
    if inside is None:
        try:
            return read_bytes(path, most, what)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror}); check it") from error
    found = read_member(inside, most + 1)
    if len(found) > most:
        raise InputError(f"{path}: too large for {what}; is it another file?")
    return found


def version_of(path: Path) -> int:
    """When a file, or the archive that holds it, was last modified, in nanoseconds."""
    return file_on_disk(str(path)).stat().st_mtime_ns


def _folders_on_disk(folder: Path) -> dict[str, Path]:
    with os.scandir(folder) as entries:
        shown = [entry for entry in entries if entry.name[0] != "."]
    found = {entry.name: Path(entry.path) for entry in shown if entry.is_dir()}
    for entry in shown:
        stem, suffix = os.path.splitext(entry.name)
        if suffix.lower() == ZIP and entry.is_file():
            found.setdefault(stem, archive_root(Path(entry.path)))
    return dict(sorted(found.items()))


def _name_in(inside: Member) -> str:
    """The name of a folder in its archive. The archive itself stands for its start."""
    return inside.name.strip("/") or folders_of(inside).start


def _member_path(inside: Member, folder: str, name: str) -> Path:
    return Path(f"/vsizip/{inside.archive}") / folder / name
