"""What a search in an image catalogue needs: the date of a raster and the bounds of polygons."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

import numpy as np
import shapely

from geochange.errors import InputError
from geochange.files.archives import gdal_name
from geochange.grid import lonlat
from geochange.raster.sources.resolve import PathLike, inspect_source
from geochange.vector.files.polygon_reader import find_layer

BOUNDS_TOLERANCE_DEG = 1e-4
"""Bounds are found to about ten metres."""


def date_of(raster: PathLike) -> date | None:
    """The acquisition day of a raster, from its metadata or its name; None if both have none.

    Raises InputError if it is not a raster.
    """
    acquired = inspect_source(raster).acquired
    return None if acquired is None else acquired.day


def bounds_of(polygons: PathLike) -> tuple[float, float, float, float]:
    """(west, south, east, north) of a file of polygons in degrees. West > east across 180 degrees.

    Raises InputError.
    """
    layer = find_layer(Path(gdal_name(os.fspath(polygons))))
    if layer.bounds is None:
        raise InputError(f"{polygons}: holds no polygon; draw the area to search")
    box = shapely.box(*layer.bounds)
    (outline,) = lonlat.to_wgs84(np.array([box], dtype=np.object_), layer.crs, BOUNDS_TOLERANCE_DEG)
    return lonlat.bounds_of(outline)
