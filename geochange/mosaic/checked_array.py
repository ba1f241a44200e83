"""Arrays of zarr 3 whose chunks end with a CRC-32C. A chunk that does not match it is not read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import Crc32cCodec
from zarr.core.array_spec import ArrayConfigParams

from geochange.errors import RunError
from geochange.files.checksummed import remove

EVERY_CHUNK: ArrayConfigParams = {"write_empty_chunks": True}
"""Chunks that equal the fill value are written too, because a chunk shows that its task is done."""

METADATA = "zarr.json"

_DAMAGE = (OSError, ValueError, KeyError, TypeError, IndexError)
"""Exceptions of zarr for damaged chunks and metadata."""

Place = tuple[slice | int, ...]
"""The indices of a region of an array."""


class DamagedStoreError(RunError):
    """A store of the work folder is damaged."""


def create(path: Path, **layout: Any) -> None:
    """Create an array, or only its metadata if it exists. Intact chunks stay.

    Files that are not valid chunks are removed. layout: arguments of zarr.create_array.
    """
    _clear(path, len(layout["shape"]))
    path.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path, prefix=".") as scratch:
        zarr.create_array(
            store=scratch,
            zarr_format=3,
            compressors=[Crc32cCodec()],
            config=EVERY_CHUNK,
            **layout,
        )
        os.replace(Path(scratch) / METADATA, path / METADATA)


def _clear(path: Path, axes: int) -> None:
    """Remove files where folders belong, folders where files belong, and incomplete chunks."""
    for place in (path, path / "c"):
        if place.exists() and not place.is_dir():
            remove(place)
    if (path / METADATA).is_dir():
        remove(path / METADATA)
    left = [(path / "c", 1)]
    while left:
        folder, depth = left.pop()
        for entry in list(os.scandir(folder)) if folder.is_dir() else []:
            is_chunk = depth == axes
            if is_chunk == entry.is_dir() or entry.name.endswith(".partial"):
                remove(Path(entry.path))
            elif not is_chunk:
                left.append((Path(entry.path), depth + 1))


def write(path: Path, place: Place, values: NDArray[Any]) -> None:
    """Write values into whole chunks of an array."""
    # open_array also takes a config, but ignores it.
    zarr.open_array(store=path, mode="r+").with_config(EVERY_CHUNK)[place] = values


def read(path: Path, place: Place) -> NDArray[Any]:
    """The values of a region; missing chunks have the fill value.

    Raises DamagedStoreError if a chunk does not match its checksum.
    """
    try:
        return np.asarray(zarr.open_array(store=path, mode="r")[place])
    except _DAMAGE as error:
        raise DamagedStoreError(
            f"{path}: damaged since it was written ({error}); the same command again computes "
            "what is lost"
        ) from error


def is_intact(path: Path, place: Place) -> bool:
    """Whether the chunks of a region match their checksums."""
    try:
        read(path, place)
    except DamagedStoreError:
        return False
    return True
