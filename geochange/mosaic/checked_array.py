"""Arrays of zarr 3 whose chunks end with a CRC-32C. A chunk that does not match it is not read."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from geochange.errors import RunError
from geochange.storage.work_store import WorkStore

if TYPE_CHECKING:
    import zarr
    from zarr.core.array_spec import ArrayConfigParams

EVERY_CHUNK: ArrayConfigParams = {"write_empty_chunks": True}
"""Chunks that equal the fill value are written too, because a chunk shows that its task is done."""

METADATA = "zarr.json"

_DAMAGE = (OSError, ValueError, KeyError, TypeError, IndexError)
"""Exceptions of zarr for damaged chunks."""

Place = tuple[slice | int, ...]
"""The indices of a region of an array."""


class DamagedStoreError(RunError):
    """A store of the work folder is damaged."""


@dataclass(frozen=True)
class Layout:
    """The shape, chunks and type of an array.

    attributes: names and values that readers of the array are told.
    """

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    fill_value: float
    attributes: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True)
class CheckedArray:
    """An array in the work of a run.

    The layout is that of the caller. The stored metadata are for other readers: what somebody writes
    there changes nothing.
    """

    work: WorkStore
    name: str
    layout: Layout

    def create(self) -> None:
        """Create the array, or only its metadata if it exists. Intact chunks stay.

        What cannot be a chunk is removed.
        """
        self.work.clear_array(self.name, len(self.layout.shape))
        self.work.write(f"{self.name}/{METADATA}", _metadata(self.layout)[1])

    def is_created(self) -> bool:
        """Whether the metadata exist."""
        return self.work.stamp(f"{self.name}/{METADATA}") is not None

    def write(self, place: Place, values: NDArray[Any]) -> None:
        """Write values into whole chunks."""
        self._open()[place] = values

    def read(self, place: Place, sparse: bool = False) -> NDArray[Any]:
        """The values of a region.

        sparse: whether missing chunks have the fill value; otherwise they are damage. Raises
        DamagedStoreError if a chunk is missing or does not match its checksum.
        """
        try:
            return np.asarray(self._open(sparse)[place])
        except _DAMAGE as error:
            raise DamagedStoreError(
                f"{self.work}/{self.name}: damaged since it was written ({error}); the same command "
                "again computes what is lost"
            ) from error

    def is_intact(self, place: Place) -> bool:
        """Whether the chunks of a region exist and match their checksums."""
        try:
            self.read(place)
        except DamagedStoreError:
            return False
        return True

    def stamp(self, *chunk: int) -> Hashable | None:
        """Something that changes when a chunk is written; None if it is missing."""
        return self.work.stamp(self.chunk_key(*chunk))

    def chunk_key(self, *chunk: int) -> str:
        """The key of a chunk; missing indices are 0."""
        rest = len(self.layout.shape) - len(chunk)
        return "/".join([self.name, "c", *map(str, chunk), *["0"] * rest])

    def _open(self, sparse: bool = False) -> zarr.Array[Any]:
        # zarr is imported with the first chunk, since its import takes a third of a second.
        import zarr
        from zarr.storage import StorePath

        from geochange.mosaic.chunk_store import ChunkStore

        chunks = StorePath(ChunkStore(self.work, sparse), self.name)
        metadata = _metadata(self.layout)[0]
        return zarr.Array(zarr.AsyncArray(metadata, chunks, EVERY_CHUNK))


@lru_cache(64)
def _metadata(layout: Layout) -> tuple[Any, bytes]:
    """The metadata of an array as an object of zarr, and as the bytes of its file."""
    import zarr
    from zarr.codecs import Crc32cCodec
    from zarr.storage import MemoryStore

    store: dict[str, Any] = {}
    array = zarr.create_array(
        store=MemoryStore(store),
        shape=layout.shape,
        chunks=layout.chunks,
        dtype=layout.dtype,
        fill_value=layout.fill_value,
        attributes={name: list(values) for name, values in layout.attributes} or None,
        zarr_format=3,
        compressors=[Crc32cCodec()],
        config=EVERY_CHUNK,
    )
    return array.metadata, store[METADATA].to_bytes()
