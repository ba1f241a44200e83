"""ObjectWork: the work of a run below a prefix of a bucket.

A put makes an object whole or not at all, so nothing is renamed. No operating system guards a bucket,
so a lease keeps other runs away, and the arrays and records of a fingerprint have a prefix of their own:
a late worker of another run cannot write among them.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from geochange.errors import OutputError
from geochange.storage.lease import LEASE_KEY, Lease, hold_lease
from geochange.storage.object_client import as_storage_error, client_of
from geochange.storage.traffic import Traffic, count
from geochange.storage.work_store import StorageError, Value

PUT_BYTES = 64 * 2**20
"""Larger values are put in parts of this size. Smaller ones cost one request."""


@dataclass(frozen=True)
class ObjectWork:
    """A WorkStore below a URL. A key is the rest of the name of an object."""

    url: str

    def __str__(self) -> str:
        return self.url

    @property
    def folder(self) -> Path | None:
        """None: nothing is on this machine."""
        return None

    def read(self, key: str) -> bytes | None:
        """The bytes of an object; None if there is none. Raises StorageError."""
        import obstore

        try:
            with as_storage_error(f"{self.url}/{key}"):
                value = bytes(obstore.get(client_of(self.url), key).bytes())
        except FileNotFoundError:
            return None
        count(Traffic(work_read_bytes=len(value)))
        return value

    def write(self, key: str, value: Value) -> None:
        """Put an object. Raises StorageError."""
        import obstore

        try:
            with as_storage_error(f"{self.url}/{key}"):
                obstore.put(client_of(self.url), key, value, chunk_size=PUT_BYTES)
        except FileNotFoundError as error:
            raise StorageError(f"{self.url}/{key}: cannot be written; check the address") from error
        count(Traffic(work_written_bytes=memoryview(value).nbytes))

    def stamp(self, key: str) -> Hashable | None:
        """The version of an object; None if there is none. Raises StorageError."""
        import obstore

        try:
            with as_storage_error(f"{self.url}/{key}"):
                found = obstore.head(client_of(self.url), key)
        except FileNotFoundError:
            return None
        return found["e_tag"], found["size"], found["last_modified"]

    def keys(self, prefix: str) -> Iterator[str]:
        """All keys that begin with `prefix/`. Raises StorageError."""
        import obstore

        with as_storage_error(f"{self.url}/{prefix}"):
            for page in obstore.list(client_of(self.url), prefix or None):
                yield from (str(found["path"]) for found in page)

    def delete(self, keys: list[str]) -> None:
        """Delete objects. Missing ones are ignored. Raises StorageError."""
        import obstore

        try:
            with as_storage_error(self.url):
                if keys:
                    obstore.delete(client_of(self.url), keys)
        except FileNotFoundError:  # some stores stop at the first one that is missing
            for key in keys if len(keys) > 1 else ():
                self.delete([key])

    def entries(self) -> list[str] | None:
        """The first parts of all keys, without that of the lease; None if there are none.

        Raises OutputError if the bucket cannot be listed.
        """
        import obstore

        with as_storage_error(self.url, OutputError):
            found = obstore.list_with_delimiter(client_of(self.url, before_work=True))
        keys = (*found["common_prefixes"], *(one["path"] for one in found["objects"]))
        names = [str(key).strip("/").rpartition("/")[2] for key in keys]
        return [name for name in names if name != LEASE_KEY] or None

    def begin(self) -> None:
        """Nothing: a bucket has no folders."""

    def discard(self) -> None:
        """Delete everything but the lease. What a late worker leaves stays for the next run."""
        self.delete([key for key in self.keys("") if key != LEASE_KEY])

    def clear_array(self, name: str, axes: int) -> None:
        """Nothing: an object is whole, and is no folder."""

    def of_run(self, digest: str) -> ObjectWork:
        """The prefix of a fingerprint."""
        return ObjectWork(f"{self.url}/run-{digest}")

    def lock(self) -> AbstractContextManager[Lease]:
        """Hold the lease. Raises OutputError if another run holds it."""
        return hold_lease(self.url)
