"""Atomic writes: a file appears complete, or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geochange.errors import GeochangeError, OutputError, one_line
from geochange.files.checksummed import remove
from geochange.files.output_paths import target_of
from geochange.files.sidecar_files import sidecar_files_of
from geochange.files.sqlite_files import CURES, obstacle_to


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path that replaces `path` at the end. An error in the body deletes it.

    A symbolic link stays, and its target is replaced. Raises OutputError if the file cannot be written.
    """
    target = target_of(path)
    aside = temporary_name(target)
    try:
        aside.unlink(missing_ok=True)
        try:
            yield aside
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    except OutputError:
        raise
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}): check the free space and the "
            "access rights there, or name another place"
        ) from error


@contextmanager
def atomic_driver_path(path: Path) -> Iterator[Path]:
    """As `atomic_path`, for drivers that write more than one file.

    The temporary path is in a hidden folder beside `path`. The folder also holds the journals and
    .aux.xml files of drivers, and is deleted at the end. It always has the same name, so the next run
    deletes what a killed run left. The file in it has a plain name, whatever the name of `path`.

    Raises OutputError if `path` is a database that another program has open at the end. Raises OSError
    if writing fails.
    """
    target = target_of(path)
    folder = temporary_name(target)
    part = folder / f"changes{target.suffix.lower()}"
    remove(folder)
    folder.mkdir()
    try:
        yield part
        _remove_old_sidecars(path)
        os.replace(part, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def temporary_name(path: Path) -> Path:
    """The hidden name of a file while it is being written."""
    return path.with_name(f".{path.name}.part")


SHARING_ERRORS = (5, 32)
"""Errors of Windows for a file that another program holds open: it cannot be replaced there."""


@contextmanager
def as_output_error(
    path: Path, also: tuple[type[Exception], ...] = (), cure: str = "check the free space"
) -> Iterator[None]:
    """Turn errors on writing a file into an OutputError with a cure, in one line.

    also: exceptions of the writing library besides OSError. GeochangeError is raised unchanged.
    """
    kinds: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except GeochangeError:
        raise
    except kinds as error:
        reason = one_line(error)
        if getattr(error, "winerror", None) in SHARING_ERRORS:
            cure = "close the program that has it open, or give another name"
        raise OutputError(f"cannot write {path} ({reason}): {cure}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file atomically. Raises OutputError."""
    with atomic_path(path) as aside:
        # File names in the text may hold bytes that are not valid UTF-8.
        aside.write_text(text, "utf-8", "backslashreplace")


def _remove_old_sidecars(path: Path) -> None:
    """Remove the companions of the old file. Raises OutputError if another program has it open."""
    if path.suffix.lower() == ".gpkg" and path.exists():
        found = obstacle_to(path, alone=True)
        if found is not None and found.is_passing:
            raise OutputError(f"{path}: {found}; {CURES[found.obstacle]}")
    for companion in sidecar_files_of(path):
        companion.unlink(missing_ok=True)
