"""Writes chips of any number of bands as GeoTIFF without a CRS, with the names of the bands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS
from geochange.raster.pictures.png import write_chip


def write_band_tiff(path: Path, pixels: NDArray[np.float32], names: tuple[str, ...]) -> None:
    """Write (height, width, band) values as float32. names: of the bands. Raises OutputError."""
    height, width, count = pixels.shape
    profile = {"driver": "GTiff", "dtype": "float32", "count": count, "compress": "deflate"}
    profile |= {"height": height, "width": width, "predictor": 3, "photometric": "minisblack"}
    with IGNORE_GEOREFERENCE_WARNINGS, MemoryFile() as memory:
        with memory.open(**profile) as raster:
            raster.write(np.moveaxis(pixels, -1, 0))
            raster.descriptions = tuple(name or None for name in names)
        packed = memory.read()
    write_chip(path, packed)
