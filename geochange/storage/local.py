"""LocalWork: the work of a run in a folder on a disk."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geochange.errors import OutputError
from geochange.files.checksummed import remove
from geochange.files.output_paths import lock_output
from geochange.progress import Progress
from geochange.storage.traffic import Traffic, count
from geochange.storage.work_store import Value

PARTIAL = ".partial"
"""The suffix of a file that is not complete."""

_MISSING = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


@dataclass(frozen=True)
class LocalWork:
    """A WorkStore in a folder. A key is the path of a file below it.

    locked: whether several outputs may share the folder, so that it needs a lock of its own.
    """

    path: Path
    locked: bool = False

    def __str__(self) -> str:
        return str(self.path)

    @property
    def folder(self) -> Path | None:
        """The folder itself."""
        return self.path

    def read(self, key: str) -> bytes | None:
        """The bytes of a file; None if it is missing. Raises OSError if its disk fails."""
        try:
            value = (self.path / key).read_bytes()
        except _MISSING:
            return None
        count(Traffic(work_read_bytes=len(value)))
        return value

    def write(self, key: str, value: Value) -> None:
        """Write a file aside and rename it. A folder in its place is removed. Raises OSError."""
        file = self.path / key
        aside = file.with_name(f"{file.name}.{uuid.uuid4().hex}{PARTIAL}")
        try:
            self._write(aside, value)
            if file.is_dir():
                remove(file)
            aside.replace(file)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        count(Traffic(work_written_bytes=memoryview(value).nbytes))

    def _write(self, aside: Path, value: Value) -> None:
        try:
            aside.write_bytes(value)
        except (FileNotFoundError, NotADirectoryError):
            self.path.stat()  # a folder that was deleted during the run is not made again
            for parent in aside.relative_to(self.path).parents:
                if (self.path / parent).is_file():
                    remove(self.path / parent)
            aside.parent.mkdir(parents=True, exist_ok=True)
            aside.write_bytes(value)

    def stamp(self, key: str) -> Hashable | None:
        """The time, size and number of a file; None without one."""
        file = self.path / key
        if not file.is_file():
            return None
        status = file.stat()
        return status.st_mtime_ns, status.st_size, status.st_ino

    def keys(self, prefix: str) -> Iterator[str]:
        """The files below a folder, without incomplete ones."""
        for file in (self.path / prefix).rglob("*"):
            if file.is_file() and not file.name.endswith(PARTIAL):
                yield file.relative_to(self.path).as_posix()

    def delete(self, keys: list[str]) -> None:
        """Delete files. Missing ones are ignored. Raises OSError."""
        for key in keys:
            (self.path / key).unlink(missing_ok=True)

    def entries(self) -> list[str] | None:
        """The names in the folder; None if it does not exist. Raises OutputError for no folder."""
        if not (self.path.is_symlink() or self.path.exists()):
            return None
        if self.path.is_symlink() or not self.path.is_dir():
            raise OutputError(
                f"{self.path}: exists and was not made by geochange; move it elsewhere"
            )
        return [entry.name for entry in self.path.iterdir()]

    def begin(self) -> None:
        """Make the folder. Raises OutputError."""
        try:
            self.path.mkdir()
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be made ({error.strerror})") from error

    def discard(self) -> None:
        """Delete the folder and its contents."""
        shutil.rmtree(self.path, ignore_errors=True)

    def clear_array(self, name: str, axes: int) -> None:
        """Remove files where folders belong, folders where files belong, and incomplete chunks."""
        path = self.path / name
        for place in (path, path / "c"):
            if place.exists() and not place.is_dir():
                remove(place)
        left = [(path / "c", 1)]
        while left:
            folder, depth = left.pop()
            for entry in list(os.scandir(folder)) if folder.is_dir() else []:
                is_chunk = depth == axes
                if is_chunk == entry.is_dir() or entry.name.endswith(PARTIAL):
                    remove(Path(entry.path))
                elif not is_chunk:
                    left.append((Path(entry.path), depth + 1))

    def of_run(self, digest: str) -> LocalWork:
        """The folder itself: the lock keeps all writers of other runs away."""
        return self

    @contextmanager
    def lock(self) -> Iterator[LocalLock]:
        """Lock the folder, unless the lock of the output protects it. Raises OutputError."""
        if not self.locked:
            yield LocalLock()
            return
        with lock_output(self.path):
            yield LocalLock()


class LocalLock:
    """A lock of the operating system, which is never lost."""

    def watched(self, progress: Progress) -> Progress:
        """The progress itself."""
        return progress
