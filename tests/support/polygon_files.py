"""Files of polygons for tests, by default drawn in pixels of makers.NORTH_UP."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from affine import Affine
from makers import NORTH_UP, UTM
from pyproj import CRS

from geochange.grid.grid import Grid, to_ground

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf", ".shp": "ESRI Shapefile"}


def square(row: float, col: float, size: float, width: float | None = None) -> shapely.Polygon:
    """A rectangle in pixels, by its first row and column."""
    return shapely.box(col, row, col + (width or size), row + size)


def make_polygons(
    path: Path,
    polygons: Sequence[shapely.Geometry | None],
    crs: CRS | None = UTM,
    transform: Affine = NORTH_UP,
    columns: Mapping[str, Sequence[Any]] | None = None,
    **options: Any,
) -> Path:
    """Write polygons, given in pixels of a UTM grid, in any CRS; None writes no CRS."""
    ground = [None if shape is None else to_ground(shape, transform) for shape in polygons]
    frame = gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(ground, crs=UTM))
    frame = frame.set_crs(None, allow_override=True) if crs is None else frame.to_crs(crs)
    frame.to_file(path, driver=DRIVERS[path.suffix], **options)
    return path


def grid_of(shape: tuple[int, int], transform: Affine = NORTH_UP) -> Grid:
    """A grid in UTM."""
    return Grid(UTM, transform, shape)
