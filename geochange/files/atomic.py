"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geochange.errors import GeochangeError, OutputError, one_line
from geochange.files.checksummed import remove
from geochange.files.companions import companions_of
from geochange.files.database import CURES, obstacle_to
from geochange.files.output_paths import target_of


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Lend a path to write to, which becomes `path` at the end, or nothing if the body raises.

    A link stays; the file that it leads to is replaced. Raises OutputError where it cannot be
    written.
    """
    target = target_of(path)
    aside = part_of(target)
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
def whole_by_driver(path: Path) -> Iterator[Path]:
    """Lend a path to write to, as `atomic_path` does, for drivers that write more than one file.

    The lent path is in a hidden folder beside `path`. The folder also catches what drivers put
    beside their files (journals, .aux.xml), and goes away at the end. Its name is always the same,
    so that the next run clears what a killed one left. The file in it has a plain name, whatever
    `path` is called.

    Raises OutputError where `path` is a database that another program has open by now. OSError goes
    through.
    """
    target = target_of(path)
    folder = part_of(target)
    part = folder / f"changes{target.suffix.lower()}"
    remove(folder)
    folder.mkdir()
    try:
        yield part
        _make_way(path)
        os.replace(part, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def part_of(path: Path) -> Path:
    """The hidden name under which a file grows until it is whole."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def told_as_output(
    path: Path, also: tuple[type[Exception], ...] = (), cure: str = "check the free space"
) -> Iterator[None]:
    """Turn what goes wrong while a file is written into one line with its cure.

    also: what the library that writes raises beside OSError. Errors of ours go through. Raises
    OutputError.
    """
    kinds: tuple[type[Exception], ...] = (OSError, *also)
    try:
        yield
    except GeochangeError:
        raise
    except kinds as error:
        reason = one_line(error)
        raise OutputError(f"cannot write {path} ({reason}): {cure}") from error


def write_text(path: Path, text: str) -> None:
    """Write a text. Raises OutputError."""
    with atomic_path(path) as aside:
        # Names of files may hold bytes that are no UTF-8.
        aside.write_text(text, "utf-8", "backslashreplace")


def _make_way(path: Path) -> None:
    """Remove what would be read with the new file, once nobody has the old one open."""
    if path.suffix.lower() == ".gpkg" and path.exists():
        found = obstacle_to(path, alone=True)
        if found is not None and found.is_passing:
            raise OutputError(f"{path}: {found}; {CURES[found.obstacle]}")
    for companion in companions_of(path):
        companion.unlink(missing_ok=True)
