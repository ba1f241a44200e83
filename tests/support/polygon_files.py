"""Files of polygons for tests, by default drawn in pixels of makers.NORTH_UP."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import shapely
from affine import Affine
from makers import NORTH_UP, UTM
from pyproj import CRS

from geochange.grid.grid import Grid, to_ground

DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf", ".shp": "ESRI Shapefile"}

ROWS = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) "
"""The start of a query whose table r has rows without end."""


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


def with_view(path: Path, query: str, table: str = "area") -> Path:
    """A GeoPackage whose layer is a query over what was its table."""
    make_polygons(path, [square(1, 1, 5)], columns={"name": ["a"]})
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA legacy_alter_table = 1")
        database.execute(f'ALTER TABLE "{table}" RENAME TO "held"')
        database.execute(f'CREATE VIEW "{table}" AS {query}')
    return path
