"""Whether GDAL works here: it knows CRSs, and reads what it wrote."""

from __future__ import annotations

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.io import MemoryFile

from geochange.errors import InputError


def check_gdal() -> str:
    """The version of GDAL, after a GeoTIFF was written and read in memory. Raises InputError."""
    pixels = np.arange(16, dtype=np.uint8).reshape(1, 4, 4)
    shape = {"count": 1, "height": 4, "width": 4, "dtype": "uint8", "transform": Affine.scale(2)}
    try:
        with MemoryFile() as memory:
            with memory.open(driver="GTiff", crs=CRS.from_epsg(32632), **shape) as raster:
                raster.write(pixels)
            with memory.open() as raster:
                same = bool((raster.read() == pixels).all() and raster.crs.to_epsg() == 32632)
    except RasterioError as error:
        raise InputError(f"GDAL {rasterio.__gdal_version__}: {error}") from error
    if not same:
        raise InputError(f"GDAL {rasterio.__gdal_version__}: reads other pixels than it wrote")
    return str(rasterio.__gdal_version__)
