"""Search terms for an image catalogue: the date of a raster and the bounds of polygons."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from pyproj import Transformer

from geochange.errors import InputError
from geochange.files.archives import gdal_name
from geochange.raster.sources.resolve import PathLike, inspect_source
from geochange.vector.files.polygon_reader import find_layer


def date_of(raster: PathLike) -> date | None:
    """The acquisition day of a raster, from its metadata or its name; None if both have none.

    Raises InputError if it is not a raster.
    """
    acquired = inspect_source(raster).acquired
    return None if acquired is None else acquired.day


def bounds_of(polygons: PathLike) -> tuple[float, float, float, float]:
    """(west, south, east, north) of a file of polygons in degrees. Raises InputError."""
    layer = find_layer(Path(gdal_name(os.fspath(polygons))))
    if layer.bounds is None:
        raise InputError(f"{polygons}: holds no polygon; draw the area to search")
    to_lonlat = Transformer.from_crs(layer.crs, "OGC:CRS84", always_xy=True)
    west, south, east, north = to_lonlat.transform_bounds(*layer.bounds)
    return west, south, east, north
