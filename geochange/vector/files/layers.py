"""Writes layers with GDAL's drivers, all rows at once or in batches, and verifies the rows."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import geopandas as gpd
    import pandas as pd

Batches: TypeAlias = "Iterable[gpd.GeoDataFrame]"
"""Tables of rows. There is at least one, which may be empty."""


def concatenate_batches(batches: Batches) -> gpd.GeoDataFrame:
    """All batches as one table, for drivers that cannot append."""
    import geopandas as gpd
    import pandas as pd

    tables = list(batches)
    filled = [table for table in tables if len(table)] or tables[:1]
    return gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), crs=tables[0].crs)


def write_whole(
    batches: Batches, path: Path, layer: str, driver: str, options: Mapping[str, str]
) -> None:
    """Write polygons, with all rows in memory. Raises OSError if rows are missing afterwards."""
    rows = concatenate_batches(batches)
    _write(rows, path, layer, driver=driver, layer_options=options)
    _verify_count(len(rows), _count(path, layer))


def write_geopackage(batches: Batches, path: Path, layer: str) -> None:
    """Write polygons batch by batch. Raises OSError if rows are missing afterwards.

    Version 1.3, because the GDAL of QGIS 3.22 warns about later versions.
    """
    rows = 0
    for batch in batches:
        if rows:
            _write(batch, path, layer, driver="GPKG", append=True)
        else:
            path.unlink(missing_ok=True)  # written by a batch without rows
            options = {"GEOMETRY_NAME": "geom", "SPATIAL_INDEX": "YES"}
            version = {"VERSION": "1.3"}
            _write(
                batch, path, layer, driver="GPKG", layer_options=options, dataset_options=version
            )
        rows += len(batch)
    _verify_count(rows, _count_in_geopackage(path, layer))


_SYNCHRONOUS = "OGR_SQLITE_SYNCHRONOUS"


@contextmanager
def synced_once(path: Path) -> Iterator[None]:
    """Write a new GeoPackage that waits for the disk once, at the end.

    SQLite waits several times for each layer, which keeps a database intact when the power fails.
    A new file is worth nothing before its end. Where the user's setting of GDAL is OFF, it does not
    wait at all. Raises OSError if the disk refuses the file.
    """
    import pyogrio

    usual = pyogrio.get_gdal_config_option(_SYNCHRONOUS)
    pyogrio.set_gdal_config_options({_SYNCHRONOUS: "OFF"})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({_SYNCHRONOUS: usual})
    if usual is not False:
        with open(path, "rb+") as file:
            os.fsync(file.fileno())


@contextmanager
def transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """One transaction in a new GeoPackage, within `synced_once`: it does not wait for the disk itself."""
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("PRAGMA synchronous = OFF")
        yield database


def add_layer(rows: gpd.GeoDataFrame, path: Path, layer: str) -> None:
    """Add a layer of polygons to a GeoPackage. Raises OSError if rows are missing afterwards."""
    options = {"GEOMETRY_NAME": "geom", "SPATIAL_INDEX": "YES"}
    _write(rows, path, layer, driver="GPKG", layer_options=options)
    _verify_count(len(rows), _count_in_geopackage(path, layer))


def add_table(path: Path, name: str, rows: pd.DataFrame) -> None:
    """Add a table without geometry. GDAL registers it in gpkg_contents as `attributes`."""
    import pyogrio

    pyogrio.write_dataframe(rows, path, layer=name, driver="GPKG", layer_options={"FID": "id"})


def _write(rows: gpd.GeoDataFrame, path: Path, layer: str, **how: Any) -> None:
    import pyogrio

    pyogrio.write_dataframe(rows, path, layer=layer, geometry_type="Polygon", **how)


def _count(path: Path, layer: str) -> int:
    """The number of polygons that can be read."""
    import pyogrio

    _, _, outlines, _ = pyogrio.raw.read(path, layer=layer, columns=[])
    return len(outlines)


def _count_in_geopackage(path: Path, layer: str) -> int:
    """The number of polygons whose geometry can be read completely, with one in memory at a time."""
    with closing(sqlite3.connect(path)) as database:
        try:
            read = f"SELECT count(*) FROM \"{layer}\" WHERE hex(geom) <> ''"
            return int(database.execute(read).fetchone()[0])
        except sqlite3.Error as error:
            raise OSError(str(error)) from error


def _verify_count(rows: int, found: int) -> None:
    """Raise OSError if rows are missing. GDAL does not report a full disk when it closes a file."""
    if found != rows:
        raise OSError(f"{found} of {rows} rows arrived")
