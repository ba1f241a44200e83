"""Output paths: checks them before work starts, and locks them while it runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from geochange.errors import OutputError
from geochange.files.file_names import (
    PathLike,
    is_address,
    is_control,
    refuse_invalid_name,
    shorten,
)

NAME_MARGIN: Final = 16
"""Bytes that hidden names add to a file name: `.NAME.part`, `.NAME.plain.tif`."""

PATH_MARGIN: Final = 200
"""Bytes that files in a work folder add to the path of the output."""


def output_path(out: PathLike) -> Path:
    """The absolute path of an output.

    Raises OutputError for a name that is not a file name, or that a project or a report cannot hold.
    """
    text = os.fspath(out)
    refuse_invalid_name(text, OutputError)
    if is_control(text):
        raise OutputError(
            f"{shorten(text)}: the name holds a line break, a tab or another control character "
            "(shown as ?); name another"
        )
    if (is_address(text) and not Path(text).parent.is_dir()) or text.startswith("/vsi"):
        raise OutputError(
            f"{shorten(text)}: is not a file on a disk; name one, and copy it from there"
        )
    try:
        return Path(text).expanduser().absolute()
    except RuntimeError as error:
        raise OutputError(
            f"{shorten(text)}: there is no such user; write the folder in full"
        ) from error
    except FileNotFoundError as error:
        raise OutputError(
            f"{shorten(text)}: the current folder was deleted; change into another one (cd)"
        ) from error


def target_of(path: Path) -> Path:
    """The path that will be written: the target of a symbolic link, else the path itself.

    Raises OutputError for a link that leads to itself.
    """
    if not path.is_symlink():
        return path
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise OutputError(f"{path}: is a link that leads to itself; remove it")
    return target


def check_folder(path: Path) -> None:
    """Refuse a file whose folder is missing or not writable. It tests this with a temporary file.

    Raises OutputError.
    """
    target = target_of(path)
    if target != path and not target.parent.is_dir():
        raise OutputError(
            f"{path}: is a link to {target}, whose folder is missing; create it, or remove the link"
        )
    for folder in dict.fromkeys((path.parent, target.parent)):
        if not folder.is_dir():
            raise OutputError(f"no folder {folder}: create it, or name another place")
        _check_length(target, folder)
        try:
            with tempfile.NamedTemporaryFile(dir=folder, prefix=".geochange."):
                pass
        except OSError as error:
            raise OutputError(
                f"cannot write in {folder} ({error.strerror}): change its access rights, or name "
                "another place"
            ) from error


def _check_length(path: Path, folder: Path) -> None:
    """Refuse names that are too long for the hidden names derived from them."""
    name, whole = len(os.fsencode(path.name)), len(os.fsencode(path))
    most_name, most_path = _limit(folder, "PC_NAME_MAX", 255), _limit(folder, "PC_PATH_MAX", 4096)
    if name > most_name - NAME_MARGIN:
        raise OutputError(
            f"{shorten(path)}: the name has {name} bytes, but the limit is "
            f"{most_name - NAME_MARGIN}; give a shorter one"
        )
    if whole > most_path - PATH_MARGIN:
        raise OutputError(
            f"{shorten(path)}: the path has {whole:,} bytes, but the limit is "
            f"{most_path - PATH_MARGIN:,}; write into a folder with a shorter one"
        )


def _limit(folder: Path, name: str, usual: int) -> int:
    try:
        found = os.pathconf(folder, name)
    except (AttributeError, OSError, ValueError):  # not available on Windows
        return usual
    return found if found > 0 else usual


def check_target(file: Path) -> None:
    """Refuse a path that cannot be written or replaced, or is not a file. Raises OutputError."""
    if file.is_dir():
        raise OutputError(f"{file} is a folder: name a file in it")
    if file.exists() and not file.is_file():
        raise OutputError(f"{file}: is a device or a pipe, not an ordinary file; name another")
    if file.exists() and not os.access(file, os.W_OK):
        raise OutputError(
            f"{file}: is write-protected; change its access rights (chmod u+w), or name another"
        )
    check_folder(file)


def refuse_same_as_input(option: str, file: Path | None, inputs: Iterable[PathLike | None]) -> None:
    """Refuse an output that is the same file as an input. Raises OutputError."""
    for source in inputs:
        if file is not None and source and _is_same(file, source):
            raise OutputError(f"{option} {file}: would overwrite the input; give another name")


def _is_same(file: Path, other: PathLike) -> bool:
    try:
        return os.path.samefile(file, other)
    except (OSError, ValueError):  # a file is missing, or a name is not valid
        return False


def make_folder(path: Path) -> None:
    """Make a folder and its parents. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{shorten(path)} cannot be made ({error.strerror}): name another place"
        ) from error


@contextmanager
def lock_output(path: Path) -> Iterator[None]:
    """Lock an output. A second process that locks it is refused.

    The operating system holds the lock, so it ends with the process in any case. The hidden file of the
    lock is deleted at the end. Raises OutputError.
    """
    file = path.with_name(f".{path.name}.lock")
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"{path}: another run is writing it; wait for it to end, or give another --out"
        ) from error
    except (OSError, NotImplementedError) as error:
        reason = getattr(error, "strerror", None) or "its disk does not support locks"
        raise OutputError(
            f"{file}: cannot be locked ({reason}); give another --out, on a local disk"
        ) from error
    try:
        yield
    finally:
        # Deleted before the release: a waiting process then finds no file, and creates its own.
        file.unlink(missing_ok=True)
        lock.release()
