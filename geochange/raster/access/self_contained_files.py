"""Opens only files that hold their own pixels.

Rasters on a server and assets of a STAC item are opened in this way. Other formats may name any other
file, also on this machine: VRT, WMS and GTI are such texts, and the values of a dataset in HDF5, netCDF
or HDF4 may lie in a file that only its header names.
"""

from __future__ import annotations

import os
from pathlib import PurePosixPath
from typing import Any

import rasterio
from rasterio._path import _parse_path  # how rasterio.open parses a name; it has no public name
from rasterio.env import ensure_env
from rasterio.io import DatasetReader

from geochange.errors import InputError, one_line
from geochange.raster.access.remote import is_remote

DRIVERS = (
    *("GTiff", "COG", "JP2OpenJPEG", "PNG", "JPEG", "WEBP", "HFA", "NITF"),
    *("GRIB", "Zarr", "SENTINEL2"),
)
"""GDAL drivers of files that hold their own pixels. Drivers missing in a build are ignored."""


def open_picture_file(name: str | os.PathLike[str]) -> Any:
    """Open a raster that holds its own pixels.

    `rasterio.open` takes a single driver, but DatasetReader takes several. Raises RasterioIOError for
    any other file, and InputError for an image whose overviews or mask lie in another folder.
    """
    path = _parse_path(os.fspath(name))
    # A process that has opened nothing yet knows no driver.
    dataset = ensure_env(DatasetReader)(path, driver=list(DRIVERS), sharing=False)
    try:
        _refuse_other_places(os.fspath(name), dataset)
    except InputError:
        dataset.close()
        raise
    return dataset


def _refuse_other_places(name: str, dataset: Any) -> None:
    """Refuse an image whose overviews or mask lie in another folder. Raises InputError."""
    # GDAL opens this file when it lists the files of the image, so the tag is looked at first.
    outside = dataset.tags(ns="OVERVIEWS").get("OVERVIEW_FILE")
    # A GeoTIFF on a server is opened without the files beside it, and the list costs a request.
    if outside is None and not (dataset.driver == "GTiff" and is_remote(name)):
        paths = [os.path.normpath(file) for file in dataset.files]
        outside = next((path for path in paths if not _is_beside(path, paths[0])), None)
    if outside is not None:
        raise InputError(
            f"{name}: leads to another file ({one_line(outside)[:120]}), which an image on a server "
            "or of an item may not do; fetch it and write it anew (gdal_translate)"
        )


def _is_beside(path: str, first: str) -> bool:
    """Whether a file lies in the folder of the first one, or below it."""
    return PurePosixPath(path).is_relative_to(PurePosixPath(first).parent)


def holds_own_pixels(name: str | os.PathLike[str]) -> bool:
    """Whether a file is one of DRIVERS for GDAL that may choose among all of its drivers.

    The bytes of a JPEG's comment can make a VRT of it. Raises what `open_picture_file` raises.
    """
    with open_picture_file(name), rasterio.open(name) as dataset:
        return dataset.driver in DRIVERS
