"""Block memory: what reading one pixel takes. GDAL decodes the whole block of the pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import rasterio
from rasterio.enums import Interleaving
from rasterio.errors import RasterioError

from geochange.errors import InputError
from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS
from geochange.raster.access.remote import is_remote

MOST_BYTES = 2**31
"""Rasters with larger blocks are refused, because no thread could read them."""

MOST_FILES = 1000
"""The number of files of a virtual raster that are checked, spread over all files."""

MAX_NESTING = 4
"""The number of nested virtual rasters that are followed."""


def reading_bytes(dataset: Any, depth: int = 0) -> int:
    """The most bytes that GDAL holds to read one pixel of one band of an open raster.

    For a virtual raster it is the maximum over its local files.
    """
    if dataset.driver == "VRT":
        return _largest_source_block(dataset, depth)
    sizes = [
        math.prod(shape) * np.dtype(dtype).itemsize
        for shape, dtype in zip(dataset.block_shapes, dataset.dtypes, strict=True)
    ]
    if len(sizes) > 1 and dataset.interleaving == Interleaving.pixel:
        # GDAL decodes all bands at once, and then copies each of them to its cache.
        return int(2 * sum(sizes))
    return int(max(sizes, default=0))


def refuse_large_blocks(path: str, block_px: tuple[int, int], needed: int) -> None:
    """Refuse a raster whose blocks need gigabytes. Raises InputError.

    needed: its `reading_bytes`.
    """
    if needed > MOST_BYTES:
        raise InputError(
            f"{path}: its pixels are kept in blocks of {block_px[0]:,} x {block_px[1]:,} px, and "
            f"each needs {needed / 1e9:.1f} GB to decode; write it in tiles first "
            "(gdal_translate -co TILED=YES)"
        )


def _largest_source_block(dataset: Any, depth: int) -> int:
    files = [file for file in dataset.files if file != dataset.name and not is_remote(file)]
    if depth == MAX_NESTING:
        return 0
    step = max(1, -(-len(files) // MOST_FILES))
    return max((_of_file(file, depth + 1) for file in files[::step]), default=0)


def _of_file(path: str, depth: int) -> int:
    try:
        # A file of a product, such as its XML, may have no georeference of its own.
        with IGNORE_GEOREFERENCE_WARNINGS, rasterio.open(path) as dataset:
            return reading_bytes(dataset, depth)
    except RasterioError:  # an error is reported when it is read
        return 0
