"""When a raster was taken, and where polygons lie: what a search through time asks for."""

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
    """The day that a raster's metadata or its name says; None where neither does.

    Raises InputError for what is no raster.
    """
    acquired = inspect_source(raster).acquired
    return None if acquired is None else acquired.day


def bounds_of(polygons: PathLike) -> tuple[float, float, float, float]:
    """(west, south, east, north) of a file of polygons, degrees. Raises InputError."""
    layer = find_layer(Path(gdal_name(os.fspath(polygons))))
    if layer.bounds is None:
        raise InputError(f"{polygons}: holds no polygon; draw the place that is meant")
    to_lonlat = Transformer.from_crs(layer.crs, "OGC:CRS84", always_xy=True)
    west, south, east, north = to_lonlat.transform_bounds(*layer.bounds)
    return west, south, east, north
