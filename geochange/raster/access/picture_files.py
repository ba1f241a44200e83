"""Opens only files that hold their own pixels.

Rasters on a server and assets of a STAC item are opened in this way. Other formats, such as VRT, WMS
and GTI, are texts that may name any other file, also on this machine.
"""

from __future__ import annotations

import os
from typing import Any

from rasterio._path import _parse_path  # how rasterio.open parses a name; it has no public name
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
    return DatasetReader(_parse_path(os.fspath(name)), driver=list(DRIVERS), sharing=False)
