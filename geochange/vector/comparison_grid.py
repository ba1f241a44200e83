"""Grids for comparing two files of polygons: that of a run, or a metric grid."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from geochange.errors import InputError, OptionError
from geochange.grid.grid import LONLAT, Grid
from geochange.grid.longitude_wrap import translated_x
from geochange.grid.lonlat import TURN, to_wgs84
from geochange.grid.transform_geometry import reproject
from geochange.vector.files.polygon_reader import Layer
from geochange.vector.files.run_record import read_record
from geochange.vector.files.writers import RUN_TABLE

MOST_PX = 10**11
"""The largest grid. Pixels of 1 m for all of Germany would be 4 * 10**11."""


def grid_of_run(path: Path) -> Grid | None:
    """The grid of the run that wrote a file of changes; None if the file does not record it.

    Raises InputError if the recorded grid is not valid.
    """
    told = read_record(path)
    if not {"crs", "transform", "shape"} <= told.keys():
        return None
    try:
        transform = Affine(*map(float, json.loads(told["transform"])))
        height, width = map(int, json.loads(told["shape"]))
        crs = CRS.from_user_input(told["crs"])
    except (ValueError, TypeError, CRSError) as error:
        raise InputError(
            f"{path}: its table {RUN_TABLE} is damaged ({' '.join(str(error).split())}); run again"
        ) from error
    if transform.determinant == 0 or not 0 < height * width <= MOST_PX:
        raise InputError(f"{path}: its table {RUN_TABLE} holds no valid grid; run again")
    return Grid(crs, transform, (height, width))


def metric_grid(layers: list[Layer], pixel_m: float) -> Grid:
    """A grid of square pixels that covers all layers, with an equal-area projection at their centre.

    Lambert's azimuthal equal-area projection. Raises OptionError for more than MOST_PX pixels.
    """
    boxes = _near(_lonlat_box(layer) for layer in layers if layer.bounds is not None)
    middle = shapely.union_all(boxes).envelope.centroid if boxes else shapely.Point(0, 0)
    place = {"proj": "laea", "lon_0": middle.x, "lat_0": middle.y, "datum": "WGS84", "units": "m"}
    crs = CRS.from_dict(place)
    ground = [shapely.bounds(reproject(box, LONLAT, crs)) for box in boxes]
    if not np.isfinite(ground).all():
        raise OptionError("the polygons lie all over the Earth; compare a part of them (--within)")
    west, south, east, north = _around(ground) if ground else (0.0, 0.0, 0.0, 0.0)
    height, width = (math.ceil(size / pixel_m) + 1 for size in (north - south, east - west))
    if height * width > MOST_PX:
        raise OptionError(
            f"pixels of {pixel_m:g} m: both files cover {height:,} x {width:,} of them, too many; "
            "choose larger ones, or check that both show one place"
        )
    corner = Affine(pixel_m, 0, west - pixel_m / 2, 0, -pixel_m, north + pixel_m / 2)
    return Grid(crs, corner, (height, width))


def _lonlat_box(layer: Layer) -> shapely.Geometry:
    assert layer.bounds is not None
    box = np.array([shapely.box(*layer.bounds)], dtype=np.object_)
    size = max(box[0].bounds[2] - box[0].bounds[0], box[0].bounds[3] - box[0].bounds[1])
    return to_wgs84(shapely.segmentize(box, max(size / 32, 1e-9)), layer.crs)[0]


def _near(boxes: Iterable[shapely.Geometry]) -> list[shapely.Geometry]:
    """Boxes in degrees, moved by whole turns to the first: of two at 180 one may begin at -180."""
    there = list(boxes)
    middles = [(box.bounds[0] + box.bounds[2]) / 2 for box in there]
    return [
        translated_x(box, TURN * round((middles[0] - middle) / TURN))
        for box, middle in zip(there, middles, strict=True)
    ]


def _around(boxes: list[Any]) -> tuple[float, float, float, float]:
    west, south, east, north = np.array(boxes).T
    return float(west.min()), float(south.min()), float(east.max()), float(north.max())
