"""WorkStore: the named values that a run keeps until its outputs are complete.

A value appears whole or not at all, and one task writes each. So nothing is renamed or locked for it.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from geochange.errors import RunError
from geochange.files.checksummed import with_checksum, without_checksum
from geochange.progress import Progress

Value = bytes | memoryview


class StorageError(RunError):
    """A store does not answer, or refuses. The same command goes on later."""


class StorageAccessError(StorageError):
    """A server refuses: there is no bucket, no right, or there are no credentials."""


class WorkStore(Protocol):
    """Values by key. A key has parts between slashes, as in "logits.zarr/c/0/0".

    It is small, hashable and picklable: it is sent to the workers with every task. `str` gives the name
    for messages. Methods raise the errors of the place: OSError on a disk, StorageError elsewhere. A
    failure is never taken for a missing value.
    """

    def read(self, key: str) -> bytes | None:
        """The value of a key; None if there is none."""
        ...

    def write(self, key: str, value: Value) -> None:
        """Store a value. Readers see the old value or the new one."""
        ...

    def stamp(self, key: str) -> Hashable | None:
        """Something that changes when the value is written; None if there is none."""
        ...

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix/`, in any order."""
        ...

    def delete(self, keys: list[str]) -> None:
        """Delete values. Missing ones are ignored."""
        ...

    def entries(self) -> list[str] | None:
        """The first parts of all keys; None if nothing is stored here.

        Raises OutputError if this is no place for a run.
        """
        ...

    def begin(self) -> None:
        """Make the place. Raises OutputError."""
        ...

    def discard(self) -> None:
        """Delete everything that runs have stored."""
        ...

    def clear_array(self, name: str, axes: int) -> None:
        """Remove what cannot be a chunk of an array with so many axes."""
        ...

    def of_run(self, digest: str) -> WorkStore:
        """The store for the arrays and records of a run with this fingerprint."""
        ...

    def lock(self) -> AbstractContextManager[Lock]:
        """Keep other runs away. Raises OutputError if one works here."""
        ...

    @property
    def folder(self) -> Path | None:
        """The folder on this machine; None if it lies elsewhere."""
        ...


class Lock(Protocol):
    """A lock that is held. It may be lost where no operating system guards it."""

    def watched(self, progress: Progress) -> Progress:
        """The same progress. Its calls raise RunError once the lock is lost."""
        ...


def write_checksummed(store: WorkStore, key: str, data: bytes) -> None:
    """Store bytes with their checksum."""
    store.write(key, with_checksum(data))


def read_checksummed(store: WorkStore, key: str) -> bytes | None:
    """The bytes that were stored; None if they are missing or do not match their checksum.

    Raises StorageError.
    """
    try:
        found = store.read(key)
    except OSError:  # a disk that fails has lost it
        return None
    return None if found is None else without_checksum(found)
