"""Places to write to, looked at before any work is done, and held while it is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from geochange.errors import OutputError


def check_folder(path: Path) -> None:
    """Refuse a file whose folder is missing or cannot be written, by writing there.

    Raises OutputError.
    """
    if not path.parent.is_dir():
        raise OutputError(f"no folder {path.parent}: create it, or name another place")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write in {path.parent} ({error.strerror}): name another place"
        ) from error


def check_target(file: Path) -> None:
    """Refuse a file that cannot be written, or is a folder. Raises OutputError."""
    if file.is_dir():
        raise OutputError(f"{file} is a folder: name a file in it")
    check_folder(file)


def make_folder(path: Path) -> None:
    """Make a folder, and those it lies in. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be made ({error.strerror}): name another place"
        ) from error


@contextmanager
def lock_output(path: Path) -> Iterator[None]:
    """Hold a place to write to: a second process that claims it meanwhile is refused.

    The claim is a lock of the operating system, so it ends with its process, however that ends; the
    hidden file it is taken on goes with it. Raises OutputError.
    """
    file = path.with_name(f".{path.name}.lock")
    lock = FileLock(file, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise OutputError(
            f"{path}: another run is writing it; wait for it to end, or give another --out"
        ) from error
    except OSError as error:
        raise OutputError(f"{file}: cannot be locked ({error.strerror})") from error
    try:
        yield
    finally:
        # While it is still held: who waits for this very file then finds it gone, and makes its own.
        file.unlink(missing_ok=True)
        lock.release()
