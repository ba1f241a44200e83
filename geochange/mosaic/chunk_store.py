"""ChunkStore: what zarr reads and writes of an array, in the work of a run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

from zarr.abc.store import ByteRequest, Store
from zarr.core.buffer import Buffer, BufferPrototype

from geochange.storage.work_store import WorkStore


class MissingChunkError(KeyError):
    """A chunk that must be there is missing. zarr would take it for "no data"."""


class ChunkStore(Store):
    """A store of zarr with the chunks of a run, each read and written as a whole.

    sparse: whether chunks may be missing; they then have the fill value.
    """

    supports_writes = True
    supports_deletes = False
    supports_listing = False

    def __init__(self, work: WorkStore, sparse: bool) -> None:
        super().__init__(read_only=False)
        self.work, self.sparse = work, sparse

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChunkStore) and other.work == self.work

    __hash__ = None  # type: ignore[assignment]

    async def get(
        self, key: str, prototype: BufferPrototype, byte_range: ByteRequest | None = None
    ) -> Buffer | None:
        """A whole chunk. Raises MissingChunkError, and the errors of the work store."""
        if byte_range is not None:
            raise ValueError("chunks are read as a whole")
        found = await asyncio.to_thread(self.work.read, key)
        if found is None:
            if self.sparse:
                return None
            raise MissingChunkError(f"{key} is missing")
        return prototype.buffer.from_bytes(found)

    async def set(self, key: str, value: Buffer) -> None:
        """Store a whole chunk. Raises the errors of the work store."""
        view = memoryview(value.as_buffer_like()).cast("B")
        await asyncio.to_thread(self.work.write, key, view)

    async def exists(self, key: str) -> bool:
        """Whether a chunk exists."""
        return await asyncio.to_thread(self.work.stamp, key) is not None

    async def get_partial_values(
        self,
        prototype: BufferPrototype,
        key_ranges: Iterable[tuple[str, ByteRequest | None]],
    ) -> list[Buffer | None]:
        """Not used: chunks are read as a whole."""
        raise NotImplementedError

    async def delete(self, key: str) -> None:
        """Not used: zarr deletes no chunk here."""
        raise NotImplementedError

    def list(self) -> AsyncIterator[str]:
        """Not used: nothing is listed."""
        raise NotImplementedError

    def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """Not used: nothing is listed."""
        raise NotImplementedError

    def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """Not used: nothing is listed."""
        raise NotImplementedError
