"""Writes changes as a vector file, atomically. WRITERS has one row per format."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from geochange.errors import InputError, MissingDependencyError, OptionError, OutputError
from geochange.files.atomic import as_output_error, atomic_driver_path, temporary_name
from geochange.files.file_names import shorten
from geochange.files.output_paths import check_target, target_of
from geochange.files.sqlite_files import LONGEST_PATH
from geochange.qgis.project import Scene
from geochange.qgis.schema import STATUSES as STATUSES
from geochange.vector.files.class_colours import class_colours
from geochange.vector.files.degrees import in_degrees
from geochange.vector.files.geopackage_styles import add_styles_and_project
from geochange.vector.files.layers import (
    Batches,
    add_table,
    concatenate_batches,
    synced_once,
    write_geopackage,
    write_whole,
)
from geochange.vector.files.ogr_name import ogr_name

if TYPE_CHECKING:
    import geopandas as gpd

LAYER: Final = "changes"
RUN_TABLE: Final = "geochange_run"

COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "id": "int64",
        "area_m2": "float64",  # square metres on the ellipsoid, without holes
        "perimeter_m": "float64",  # metres on the ellipsoid, with holes
        "confidence_mean": "float64",  # 0 to 1
        "confidence_max": "float64",  # 0 to 1
        "confidence": "float64",  # probability of being a change; null if the model is not calibrated
        "touches_edge": "bool",  # the change may continue outside the raster
        "before_class": "string",  # the class before; null if no model named it
        "after_class": "string",
        "change": "string",  # "farmland -> building", or "within farmland"; null likewise
        "before_score": "float64",  # 0 to 1, of before_class; null likewise
        "after_score": "float64",
        "before_place": "string",  # the place around it before, by tile; null if not named
        "after_place": "string",
        "status": "string",  # one of STATUSES, set by a reviewer
    }
)
"""The attributes of a change and their dtypes, in the order of the file."""

_NAMES: Final = ("before_class", "after_class", "change", "before_place", "after_place")

_DEFAULTS: Final[Mapping[str, Any]] = MappingProxyType(
    {
        **dict.fromkeys(_NAMES),
        **dict.fromkeys(("confidence", "before_score", "after_score"), np.nan),
        "status": STATUSES[0],
    }
)
"""The default values of attributes."""

SceneOf = Callable[[], Scene]
"""Returns the surroundings of the changes. It is called after the changes are written."""


@dataclass(frozen=True, slots=True)
class Writer:
    """One vector format.

    name: its name for users.
    write: writes batches of changes with the columns of COLUMNS to a new path, with their provenance,
        and the scene if the format can hold it.
    check: raises MissingDependencyError if the format needs a package that is not installed.
    """

    name: str
    write: Callable[[Batches, Path, Mapping[str, str], SceneOf | None], None]
    check: Callable[[], None]


def table_of(attributes: Mapping[str, Any], geometry: Any, crs: Any) -> gpd.GeoDataFrame:
    """Changes as a table with the columns of COLUMNS; missing attributes get default values.

    attributes: by name, one value per polygon. Class names are null by default, the status is unset.
    geometry: one Polygon per row.
    """
    import geopandas as gpd  # takes a third of a second, and a run begins without it
    import pandas as pd

    rows = len(geometry)
    columns = {
        name: pd.Series(attributes.get(name, [_DEFAULTS.get(name)] * rows), dtype=dtype)
        for name, dtype in COLUMNS.items()
    }
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(geometry, crs=crs))


def empty_changes(crs: Any) -> gpd.GeoDataFrame:
    """A table without changes, with all columns and a CRS."""
    return table_of({}, [], crs)


def check_output(path: Path) -> None:
    """Refuse a path that `write_changes` could not write, before any work is done.

    Raises OptionError for an unknown suffix, MissingDependencyError for a format whose package
    is not installed, OutputError for a folder that is missing or cannot be written.
    """
    _writer_of(path).check()
    check_target(path)
    if path.suffix.lower() == ".gpkg":
        _check_length(path)


def write_changes(changes: gpd.GeoDataFrame, path: Path, provenance: Mapping[str, str]) -> None:
    """`write_batches` for one table."""
    write_batches([changes], path, provenance)


def write_batches(
    changes: Batches,
    path: Path,
    provenance: Mapping[str, str],
    scene: SceneOf | None = None,
) -> None:
    """Write polygons in the format of the path's suffix. An existing file is replaced.

    changes: tables with the columns of COLUMNS and Polygon geometries, in any CRS. Tables may be empty,
        but there must be one. A GeoPackage is written table by table; other formats need all rows in
        memory.
    provenance: the record of the run (inputs, options, versions). GeoPackage stores it as a table,
        other formats in the metadata of the file.
    scene: returns the surroundings of the changes. GeoPackage stores them as a layer and a project.

    Raises OptionError for an unknown suffix, InputError for wrong columns, wrong geometries or a
    missing CRS, and OutputError if the file cannot be written; then an existing file stays. Raises
    also the errors of `changes`.
    """
    from pyogrio.errors import DataLayerError, DataSourceError, FeatureError

    writer = _writer_of(path)
    formats = ", ".join(WRITERS)
    cure = f"check the free space; if {writer.name} cannot hold it, choose another of {formats}"
    with (
        as_output_error(path, (DataSourceError, DataLayerError, FeatureError), cure),
        atomic_driver_path(path) as part,
        ogr_name(part) as name,
    ):
        writer.write(map(_conform, changes), name, provenance, scene)


def read_changes(path: str | os.PathLike[str]) -> gpd.GeoDataFrame:
    """The changes in a file of `write_changes`, sorted by id, with the columns of COLUMNS.

    From GeoJSON they have longitudes and latitudes.
    """
    import geopandas as gpd
    import pyogrio

    path = Path(path)
    if path.suffix.lower() == ".parquet":
        changes = gpd.read_parquet(path)
    else:
        with ogr_name(path) as name:
            changes = pyogrio.read_dataframe(name, layer=LAYER)
    if len(changes) == 0:
        return empty_changes(changes.crs)
    if "confidence" not in changes:  # files of earlier versions
        changes["confidence"] = np.nan
    # GeoJSON holds those over 180 degrees in parts.
    return _conform(changes, ("Polygon", "MultiPolygon")).sort_values("id", ignore_index=True)


def _check_length(path: Path) -> None:
    """Refuse a path that is too long for SQLite. Raises OutputError."""
    grown = temporary_name(target_of(path)) / "changes.gpkg"
    room = LONGEST_PATH - len(os.fsencode(grown))
    if room < 0:
        raise OutputError(
            f"{shorten(path)}: the path is {-room} bytes too long for a GeoPackage; write into a "
            "folder with a shorter one, or a .fgb"
        )


def _writer_of(path: Path) -> Writer:
    writer = WRITERS.get(path.suffix.lower())
    if writer is None:
        raise OptionError(
            f"cannot tell the format of {path.name!r}: end its name in {', '.join(WRITERS)}"
        )
    return writer


def _conform(changes: gpd.GeoDataFrame, kinds: Sequence[str] = ("Polygon",)) -> gpd.GeoDataFrame:
    """The columns of COLUMNS with their dtypes, then `geometry`. Other columns are refused.

    Raises InputError.
    """
    import geopandas as gpd
    import pandas as pd

    if changes.crs is None:
        raise InputError("the changes have no CRS: set one with set_crs before writing them")
    attributes = pd.DataFrame(changes.drop(columns=changes.geometry.name))
    if set(attributes) != set(COLUMNS):
        odd = ", ".join(sorted(map(str, set(attributes) ^ set(COLUMNS))))
        raise InputError(f"changes need the columns {', '.join(COLUMNS)}: they differ in {odd}")
    if not changes.geom_type.isin(kinds).all():
        raise InputError("changes need Polygon geometries, one change a row: explode them first")
    typed = attributes[list(COLUMNS)].astype(dict(COLUMNS))
    return gpd.GeoDataFrame(typed, geometry=changes.geometry).reset_index(drop=True)


def _write_gpkg(
    changes: Batches, path: Path, provenance: Mapping[str, str], scene: SceneOf | None
) -> None:
    """GeoPackage, with one batch in memory at a time, and styles, field descriptions and a project."""
    import pandas as pd

    run = pd.DataFrame({"key": list(provenance), "value": list(provenance.values())}, dtype="str")
    colours = class_colours(provenance)
    with synced_once(path):
        write_geopackage(changes, path, LAYER)
        add_table(path, RUN_TABLE, run)
        add_styles_and_project(path, LAYER, None if scene is None else scene(), colours)


def _write_geojson(
    changes: Batches, path: Path, provenance: Mapping[str, str], _: SceneOf | None
) -> None:
    """RFC 7946: longitude and latitude, counterclockwise outer rings, cut at the antimeridian.

    GDAL transforms vertices only, and loses a pole that lies on an edge. So the cut is made here.
    """
    options = {
        "RFC7946": "YES",
        "COORDINATE_PRECISION": "8",  # degrees: about 1 mm, far less than a pixel
        "DESCRIPTION": json.dumps(dict(provenance)),
    }
    write_whole(map(in_degrees, changes), path, LAYER, "GeoJSON", options)


def _write_fgb(
    changes: Batches, path: Path, provenance: Mapping[str, str], _: SceneOf | None
) -> None:
    """FlatGeobuf. Its spatial index sorts rows along a Hilbert curve."""
    write_whole(changes, path, LAYER, "FlatGeobuf", {"DESCRIPTION": json.dumps(dict(provenance))})


def _write_parquet(
    changes: Batches, path: Path, provenance: Mapping[str, str], _: SceneOf | None
) -> None:
    """GeoParquet 1.1, with provenance as JSON under the key `geochange_run` of the file."""
    from pyarrow import parquet  # optional; only this format needs it

    concatenate_batches(changes).to_parquet(path, index=False, schema_version="1.1.0")
    table = parquet.read_table(path)
    geo = json.loads(table.schema.metadata[b"geo"])
    # geopandas lists the types of the rows, so none for an empty table. All rows are Polygons.
    geo["columns"]["geometry"]["geometry_types"] = ["Polygon"]
    extra = {b"geo": json.dumps(geo), RUN_TABLE.encode(): json.dumps(dict(provenance))}
    parquet.write_table(table.replace_schema_metadata({**table.schema.metadata, **extra}), path)


def _nothing_to_check() -> None:
    """The format needs no other package."""


def _check_pyarrow() -> None:
    if importlib.util.find_spec("pyarrow") is None:
        raise MissingDependencyError(
            'GeoParquet needs pyarrow: pip install "geochange[parquet]", or write a .gpkg'
        )


WRITERS: Final[Mapping[str, Writer]] = MappingProxyType(
    {
        ".gpkg": Writer("GeoPackage", _write_gpkg, _nothing_to_check),
        ".geojson": Writer("GeoJSON", _write_geojson, _nothing_to_check),
        ".fgb": Writer("FlatGeobuf", _write_fgb, _nothing_to_check),
        ".parquet": Writer("GeoParquet", _write_parquet, _check_pyarrow),
    }
)
"""Vector formats by the suffix of the output's name."""
