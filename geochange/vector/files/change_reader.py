"""Reads the changes of an earlier run in batches."""

from __future__ import annotations

from collections.abc import Iterator

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pandas.api.types import is_numeric_dtype

from geochange.errors import InputError, OptionError, one_line
from geochange.grid.crs import full_turn
from geochange.grid.grid import Grid
from geochange.grid.longitude_wrap import moved_into_span
from geochange.grid.polygon_parts import polygonal_part
from geochange.grid.transform_geometry import reproject_areas
from geochange.vector.files.formats import readable_name
from geochange.vector.files.polygon_reader import UNREADABLE, Layer

BATCH = 20_000

JOINT_PX = 1e-2
"""Halves of a change that are as near as this are joined: GeoJSON rounds to about a millimetre."""

REQUIRED_FIELDS = ("id", "area_m2", "confidence_mean")
"""The attributes that every file of changes has."""


def read_change_batches(layer: Layer, grid: Grid) -> Iterator[gpd.GeoDataFrame]:
    """The changes of a layer in the CRS of a grid, without those that cannot be projected to it.

    Raises InputError for a file that is damaged or is not a file of changes.
    """
    start = 0
    while start < layer.features or start == 0:
        yield _to_grid(_read(layer, skip_features=start, max_features=BATCH), layer, grid)
        start += BATCH


def read_change(layer: Layer, number: int, grid: Grid) -> gpd.GeoDataFrame:
    """The change with an id, as a table. Raises InputError, or OptionError if it does not exist."""
    found = _to_grid(_read(layer, where=f"id = {number:d}"), layer, grid)
    if len(found) == 0:
        raise OptionError(f"--id {number}: {layer.path} holds no change with that id")
    return found.iloc[:1]


def _read(layer: Layer, **which: int | str) -> gpd.GeoDataFrame:
    try:
        with readable_name(layer.path) as name:
            rows = pyogrio.read_dataframe(name, layer=layer.name, **which)
    except UNREADABLE as error:
        raise InputError(
            f"{layer.path}: its polygons cannot be read ({one_line(error)}); run again to write them"
        ) from error
    if missing := [name for name in REQUIRED_FIELDS if name not in rows]:
        raise InputError(f"{layer.path}: holds no changes of geochange run: it has no {missing[0]}")
    if odd := [name for name in REQUIRED_FIELDS if len(rows) and not is_numeric_dtype(rows[name])]:
        raise InputError(f"{layer.path}: its {odd[0]} is not a number; run again to write it")
    return rows


def _to_grid(rows: gpd.GeoDataFrame, layer: Layer, grid: Grid) -> gpd.GeoDataFrame:
    rows = rows[rows.geometry.notna() & rows.geom_type.isin(["Polygon", "MultiPolygon"])]
    moved = reproject_areas(np.asarray(rows.geometry, np.object_), layer.crs, grid.crs)
    moved = moved_into_span(moved.copy(), full_turn(grid.crs), grid.span)
    halves = np.flatnonzero(shapely.get_num_geometries(moved) > 1)
    # GeoJSON cuts changes at 180 degrees.
    joint = JOINT_PX * min(grid.pixel_size)
    moved[halves] = [
        polygonal_part(shapely.union_all(moved[[half]], grid_size=joint)) for half in halves
    ]
    placed = gpd.GeoDataFrame(rows.drop(columns=rows.geometry.name), geometry=moved, crs=grid.crs)
    finite = np.isfinite(placed.geometry.bounds.to_numpy()).all(axis=1)
    return placed[finite]
