"""Opens only files that hold their own pixels.

Rasters on a server and assets of a STAC item are opened in this way. Other formats, such as VRT, WMS
and GTI, are texts that may name any other file, also on this machine.
"""

from __future__ import annotations

import os
from typing import Any

import rasterio
from rasterio._path import _parse_path  # how rasterio.open parses a name; it has no public name
from rasterio.env import ensure_env
from rasterio.io import DatasetReader

DRIVERS = (
    *("GTiff", "COG", "JP2OpenJPEG", "PNG", "JPEG", "WEBP", "HFA", "NITF"),
    *("netCDF", "HDF5", "HDF5Image", "HDF4", "HDF4Image", "GRIB", "Zarr", "SENTINEL2"),
)
"""GDAL drivers of files that hold their own pixels. Drivers missing in a build are ignored."""


def open_picture_file(name: str | os.PathLike[str]) -> Any:
    """Open a raster that holds its own pixels.

    `rasterio.open` takes a single driver, but DatasetReader takes several. Raises RasterioIOError for
    any other file.
    """
    path = _parse_path(os.fspath(name))
    # A process that has opened nothing yet knows no driver.
    return ensure_env(DatasetReader)(path, driver=list(DRIVERS), sharing=False)


def holds_own_pixels(name: str | os.PathLike[str]) -> bool:
    """Whether a file is one of DRIVERS for GDAL that may choose among all of its drivers.

    The bytes of a JPEG's comment can make a VRT of it. Raises RasterioIOError for what is neither.
    """
    with open_picture_file(name), rasterio.open(name) as dataset:
        return dataset.driver in DRIVERS
