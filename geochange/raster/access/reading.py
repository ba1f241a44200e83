"""What it takes to read a pixel: the blocks it lies in, which GDAL unpacks whole."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import Interleaving
from rasterio.errors import RasterioError

from geochange.errors import InputError
from geochange.raster.access.remote import is_remote

MOST_BYTES = 2**31
"""A raster whose blocks take more is refused: no thread could read it."""

MOST_FILES = 1000
"""Of a virtual raster, so many files are looked into, spread over all."""

DEEPEST = 4
"""So many virtual rasters may lie in each other and be looked into."""


def reading_bytes(dataset: Any, depth: int = 0) -> int:
    """Bytes that GDAL holds at most to read one pixel of one band of an open raster.

    Of a virtual raster, of the files behind it; those on servers are not asked.
    """
    if dataset.driver == "VRT":
        return _behind(dataset, depth)
    sizes = [
        math.prod(shape) * np.dtype(dtype).itemsize
        for shape, dtype in zip(dataset.block_shapes, dataset.dtypes, strict=True)
    ]
    if len(sizes) > 1 and dataset.interleaving == Interleaving.pixel:
        # All bands are unpacked at once, and then put into GDAL's cache one by one.
        return int(2 * sum(sizes))
    return int(max(sizes, default=0))


def refuse_blocks(path: str, block_px: tuple[int, int], needed: int) -> None:
    """Refuse a raster of which no pixel can be read without gigabytes. Raises InputError.

    needed: its `reading_bytes`.
    """
    if needed > MOST_BYTES:
        raise InputError(
            f"{path}: its pixels are kept in blocks of {block_px[0]:,} x {block_px[1]:,} px, "
            f"{needed / 1e9:.1f} GB to unpack for any of them; write it in tiles first "
            "(gdal_translate -co TILED=YES)"
        )


def _behind(dataset: Any, depth: int) -> int:
    files = [file for file in dataset.files if file != dataset.name and not is_remote(file)]
    if depth == DEEPEST:
        return 0
    step = max(1, -(-len(files) // MOST_FILES))
    return max((_of_file(file, depth + 1) for file in files[::step]), default=0)


def _of_file(path: str, depth: int) -> int:
    try:
        with rasterio.open(path) as dataset:
            return reading_bytes(dataset, depth)
    except RasterioError:  # no raster, or gone: reading it says so
        return 0
