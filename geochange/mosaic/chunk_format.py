"""The bytes of arrays in zarr 3: raw chunks in C order, each with its CRC-32C behind it.

They are written here rather than by zarr-python. It takes longer to import than a small run takes
to read, and an event loop passes each chunk to two other threads.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

CHECKSUM_BYTES = 4
"""The CRC-32C behind a chunk, little-endian."""


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

    @property
    def stored_dtype(self) -> np.dtype[Any]:
        """The dtype of the bytes, which are little-endian on every machine."""
        return np.dtype(self.dtype).newbyteorder("<")


def metadata_of(layout: Layout) -> bytes:
    """The file zarr.json of an array, by version 3 of the specification."""
    fill = layout.fill_value
    endian = {"configuration": {"endian": "little"}} if layout.stored_dtype.itemsize > 1 else {}
    said = {
        "zarr_format": 3,
        "node_type": "array",
        "shape": layout.shape,
        "data_type": layout.dtype,
        "chunk_grid": _named("regular", chunk_shape=layout.chunks),
        "chunk_key_encoding": _named("default", separator="/"),
        "fill_value": "NaN" if math.isnan(fill) else fill,
        "codecs": [{"name": "bytes", **endian}, {"name": "crc32c"}],
        "attributes": dict(layout.attributes),
        "storage_transformers": [],
    }
    return json.dumps(said, indent=2).encode()


def _named(name: str, **configuration: Any) -> dict[str, Any]:
    return {"name": name, "configuration": configuration}


def encode_chunk(layout: Layout, values: NDArray[Any]) -> memoryview:
    """The bytes of a chunk. values: fewer than a chunk holds, at the end of an axis, are filled up."""
    dtype = layout.stored_dtype
    size = math.prod(layout.chunks) * dtype.itemsize
    stored = np.empty(size + CHECKSUM_BYTES, np.uint8)
    chunk = stored[:size].view(dtype).reshape(layout.chunks)
    if values.shape != chunk.shape:
        chunk[:] = layout.fill_value
    chunk[tuple(slice(length) for length in values.shape)] = values
    stored[size:] = _checksum(stored[:size])
    return stored.data


def decode_chunk(layout: Layout, stored: bytes) -> NDArray[Any]:
    """The values of a whole chunk, which must not be changed.

    Raises ValueError if the bytes are not those that were stored.
    """
    dtype = layout.stored_dtype
    size = math.prod(layout.chunks) * dtype.itemsize
    found = np.frombuffer(stored, np.uint8)
    if len(found) != size + CHECKSUM_BYTES:
        raise ValueError(f"a chunk has {len(found)} bytes instead of {size + CHECKSUM_BYTES}")
    if not np.array_equal(found[size:], _checksum(found[:size])):
        raise ValueError("a chunk does not match its checksum")
    return found[:size].view(dtype).reshape(layout.chunks)


def _checksum(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.array([google_crc32c.value(data)], "<u4").view(np.uint8)
