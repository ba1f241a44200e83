"""Containers: files with several rasters, which GDAL calls subdatasets."""

from __future__ import annotations

import os
import shlex
from typing import Any

import rasterio
from rasterio.errors import RasterioError

from geochange.errors import InputError
from geochange.files.archives import list_names
from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS
from geochange.raster.access.remote import is_remote
from geochange.raster.access.self_contained_files import open_picture_file
from geochange.raster.sentinel2 import RGB, files_of_band
from geochange.raster.sources.band_stack import STACK_SEPARATOR
from geochange.raster.sources.cf_coordinates import is_lonlat

MOST_OPENED = 12
"""The number of subdatasets that are opened to check their georeference."""

SENTINEL2_HINT = "; the one of 10m has red, green and blue"

SENTINEL2_10M = ":10m:"
"""In the names of subdatasets that hold the bands of 10 m of a Sentinel-2 product, one a UTM zone."""


def refuse_container(path: str, dataset: Any) -> None:
    """Refuse a file that is not a raster itself.

    Raises InputError, which lists the subdatasets that can be used.
    """
    is_hdf5 = dataset.driver in ("HDF5", "HDF5Image") and dataset.crs is None
    names = (_in_netcdf(dataset.files) if is_hdf5 else []) or _names(dataset)
    if dataset.count and not (is_hdf5 and names):
        return
    if not names:
        raise InputError(f"{path}: holds no raster; give a GeoTIFF or another georeferenced raster")
    if any('"' in file for file in dataset.files):
        raise InputError(
            f'{path}: GDAL cannot name its subdatasets because of the " in its name; rename it'
        )
    placed = [name for name in names[:MOST_OPENED] if _is_georeferenced(name)] + names[MOST_OPENED:]
    if not placed:
        raise InputError(
            f"{path}: its subdatasets have no georeference; give one a CRS and a transform first "
            f"(gdal_translate -a_srs EPSG:CODE -a_ullr X Y X Y {shlex.quote(names[0])} OUT.tif)"
        )
    hint = SENTINEL2_HINT if dataset.driver == "SENTINEL2" else ""
    what = "has no georeference as HDF5" if dataset.count else "holds no band of its own"
    raise InputError(
        f"{path}: {what}; name one of its {len(names)} subdatasets as GDAL writes them, or several "
        f"with {STACK_SEPARATOR!r} between: {list_names([shlex.quote(name) for name in placed])}{hint}"
    )


def colours_of_product(dataset: Any) -> str | None:
    """The subdataset with red, green and blue at 10 m of a Sentinel-2 product.

    None for other files, and for a product with more than one UTM zone. Raises InputError if a file
    of these bands is missing, which GDAL would read as 0.
    """
    if dataset.driver != "SENTINEL2" or dataset.count:
        return None
    found = [name for name in _names(dataset) if SENTINEL2_10M in name]
    if len(found) != 1 or not _is_georeferenced(found[0]):
        return None
    with IGNORE_GEOREFERENCE_WARNINGS, rasterio.open(found[0]) as part:
        files = [os.path.basename(file) for file in part.files]
    if missing := [band for band in RGB if not files_of_band(files, band)]:
        raise InputError(
            f"{dataset.name}: the product lacks its files of {', '.join(missing)}; fetch it again"
        )
    return found[0]


def _names(dataset: Any) -> list[str]:
    told = dataset.tags(ns="SUBDATASETS")
    numbers = range(1, len(told) // 2 + 1)
    return [told[key] for key in (f"SUBDATASET_{n}_NAME" for n in numbers) if key in told]


def _in_netcdf(files: list[str]) -> list[str]:
    """The subdatasets of an HDF5 file for GDAL's netCDF driver; the HDF5 driver has no georeference."""
    path = files[0] if files else ""
    if not os.path.exists(path):
        return []
    try:
        with IGNORE_GEOREFERENCE_WARNINGS, rasterio.open(path, driver="netCDF") as dataset:
            variable = dataset.tags(1).get("NETCDF_VARNAME") if dataset.count else None
            own = [f'NETCDF:"{path}":{variable}'] if variable else []
            return _names(dataset) or own
    except RasterioError:
        return []


def _is_georeferenced(name: str) -> bool:
    try:
        # Names in a file on a server are opened with the same restrictions as the file itself.
        opening = open_picture_file(name) if is_remote(name) else rasterio.open(name)
        with IGNORE_GEOREFERENCE_WARNINGS, opening as dataset:
            is_placed = dataset.crs is not None or is_lonlat(dataset)
            return is_placed and not dataset.transform.is_identity
    except RasterioError:
        return False
