"""Arrays whose chunks end with a CRC-32C, in zarr 3. A chunk that does not match it is not read."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.errors import RunError
from geochange.mosaic.chunk_format import Layout as Layout
from geochange.mosaic.chunk_format import decode_chunk, encode_chunk, metadata_of
from geochange.storage.work_store import WorkStore

METADATA = "zarr.json"

READERS = 8
"""Threads that read chunks from a server, because it answers after some time."""

_DAMAGE = (OSError, ValueError)
"""Exceptions of chunks that are damaged, or on a disk that fails."""

Place = tuple[slice | int, ...]
"""The indices of a region of an array. The last axes may be left out."""

Chunk = tuple[int, ...]
"""The number of a chunk along each axis."""


class DamagedStoreError(RunError):
    """A store of the work folder is damaged."""


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
        self.work.write(f"{self.name}/{METADATA}", metadata_of(self.layout))

    def is_created(self) -> bool:
        """Whether the metadata exist."""
        return self.work.stamp(f"{self.name}/{METADATA}") is not None

    def write(self, place: Place, values: NDArray[Any]) -> None:
        """Write values into whole chunks."""
        spans = self._spans(place)
        values = values.reshape([stop - start for start, stop in spans])
        for chunk in self._chunks(spans):
            _, there = self._shared(chunk, spans)
            self.work.write(self.chunk_key(*chunk), encode_chunk(self.layout, values[there]))

    def read(self, place: Place, sparse: bool = False) -> NDArray[Any]:
        """The values of a region.

        sparse: whether missing chunks have the fill value; otherwise they are damage. Raises
        DamagedStoreError if a chunk is missing or does not match its checksum.
        """
        spans = self._spans(place)
        values = np.empty([stop - start for start, stop in spans], self.layout.dtype)
        try:
            for chunk, found in self._decoded(list(self._chunks(spans)), sparse):
                here, there = self._shared(chunk, spans)
                values[there] = self.layout.fill_value if found is None else found[here]
        except _DAMAGE as error:
            raise DamagedStoreError(
                f"{self.work}/{self.name}: damaged since it was written ({error}); the same command "
                "again computes what is lost"
            ) from error
        picked = [0 if isinstance(each, int) else slice(None) for each in place]
        return values[tuple(picked)]

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

    def _decoded(
        self, chunks: list[Chunk], sparse: bool
    ) -> Iterator[tuple[Chunk, NDArray[Any] | None]]:
        """The values of chunks; None for a missing one."""
        with ThreadPoolExecutor(READERS) as pool:
            several = len(chunks) > 1 and self.work.folder is None
            read = pool.map if several else map
            stored = read(self.work.read, [self.chunk_key(*chunk) for chunk in chunks])
            for chunk, found in zip(chunks, stored, strict=True):
                if found is None and not sparse:
                    raise ValueError(f"{self.chunk_key(*chunk)} is missing")
                yield chunk, None if found is None else decode_chunk(self.layout, found)

    def _spans(self, place: Place) -> list[tuple[int, int]]:
        """(start, stop) of a region along each axis."""
        spans = []
        for axis, length in enumerate(self.layout.shape):
            index = place[axis] if axis < len(place) else slice(None)
            given = index if isinstance(index, slice) else slice(index, index + 1)
            start, stop, _ = given.indices(length)
            spans.append((start, max(start, stop)))
        return spans

    def _chunks(self, spans: list[tuple[int, int]]) -> Iterator[Chunk]:
        """The chunks that a region touches."""
        along = zip(spans, self.layout.chunks, strict=True)
        return product(*(range(start // size, -(-stop // size)) for (start, stop), size in along))

    def _shared(
        self, chunk: Chunk, spans: list[tuple[int, int]]
    ) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
        """What a chunk and a region share, from the start of either."""
        here, there = [], []
        for number, size, (start, stop) in zip(chunk, self.layout.chunks, spans, strict=True):
            first = number * size
            low, high = max(first, start), min(first + size, stop)
            here.append(slice(low - first, high - first))
            there.append(slice(low - start, high - start))
        return tuple(here), tuple(there)
