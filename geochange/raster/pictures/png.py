"""Writes images and labels as plain PNG without a CRS, which every tool reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from geochange.errors import OutputError
from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS
from geochange.raster.reader import opened


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write (height, width, 3) colours or (height, width) grey values. Raises OutputError."""
    bands = pixels[None] if pixels.ndim == 2 else np.moveaxis(pixels, -1, 0)
    count, height, width = bands.shape
    profile = {"driver": "PNG", "dtype": "uint8", "count": count, "height": height, "width": width}
    with IGNORE_GEOREFERENCE_WARNINGS, MemoryFile() as memory:
        with memory.open(**profile) as picture:
            picture.write(bands)
        packed = memory.read()
    write_chip(path, packed)


def write_chip(path: Path, packed: bytes) -> None:
    """Write the bytes of a chip. Raises OutputError."""
    try:
        path.write_bytes(packed)
    except OSError as error:
        raise OutputError(
            f"cannot write {path} ({error.strerror}): check the free space"
        ) from error


def read_png(path: Path) -> NDArray[np.uint8]:
    """The (height, width) grey values of a label that `write_png` wrote. Raises InputError."""
    with IGNORE_GEOREFERENCE_WARNINGS, opened(str(path)) as picture:
        return np.asarray(picture.read(1), np.uint8)
