"""Changes as a vector file: one row of WRITERS a format, each file whole or not there at all."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError
from pyproj.exceptions import ProjError

from geochange.errors import InputError, MissingDependencyError, OptionError, OutputError
from geochange.files.atomic import part_of, told_as_output, whole_by_driver
from geochange.files.database import LONGEST_PATH
from geochange.files.names import shown
from geochange.files.output_paths import check_target, target_of
from geochange.grid.grid import LONLAT
from geochange.grid.lonlat import cut_at_180, degrees_of
from geochange.qgis.project import Scene
from geochange.qgis.schema import STATUSES as STATUSES
from geochange.vector.files.geopackage import furnish
from geochange.vector.files.layers import Batches, add_table, gather, write_geopackage, write_whole
from geochange.vector.files.ogr_name import ogr_name

LAYER: Final = "changes"
RUN_TABLE: Final = "geochange_run"

EDGES_DEG: Final = 1e-6
"""Edges that bend in degrees are cut until they lie as near as this, some 10 cm, in GeoJSON."""

COLUMNS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "id": "int64",
        "area_m2": "float64",  # square metres on the ellipsoid, holes taken off
        "perimeter_m": "float64",  # metres on the ellipsoid, holes included
        "confidence_mean": "float64",  # 0 to 1
        "confidence_max": "float64",  # 0 to 1
        "touches_edge": "bool",  # the change may go on outside the raster
        "before_class": "string",  # what was there; null where no model named it
        "after_class": "string",
        "change": "string",  # "farmland -> building", or "within farmland"; null likewise
        "before_score": "float64",  # 0 to 1, of before_class; null likewise
        "after_score": "float64",
        "status": "string",  # one of STATUSES: what a reviewer says of it
    }
)
"""The attributes of a change and their dtypes, in the order in which files list them."""

_UNSAID: Final[Mapping[str, Any]] = MappingProxyType(
    {
        **dict.fromkeys(("before_class", "after_class", "change"), pd.NA),
        **dict.fromkeys(("before_score", "after_score"), np.nan),
        "status": STATUSES[0],
    }
)
"""What a change has of the attributes that nobody gave it."""

SceneOf = Callable[[], Scene]
"""Asked once the changes are written: what lies around them may take as long to be known."""


@dataclass(frozen=True, slots=True)
class Writer:
    """One vector format.

    name: what users call it.
    write: writes changes, which have the columns of COLUMNS and come some at a time, to a new path,
        with their provenance, and what lies around them if the format has a place for it.
    check: raises MissingDependencyError when the format needs a package that is not there.
    """

    name: str
    write: Callable[[Batches, Path, Mapping[str, str], SceneOf | None], None]
    check: Callable[[], None]


def table_of(attributes: Mapping[str, Any], geometry: Any, crs: Any) -> gpd.GeoDataFrame:
    """Changes as a table with the columns of COLUMNS, some of which may be left unsaid.

    attributes: by name, one value a polygon; without names of classes they are null, without a
    status it is unset. geometry: as many Polygons.
    """
    rows = len(geometry)
    columns = {
        name: pd.Series(attributes.get(name, [_UNSAID.get(name)] * rows), dtype=dtype)
        for name, dtype in COLUMNS.items()
    }
    return gpd.GeoDataFrame(columns, geometry=gpd.GeoSeries(geometry, crs=crs))


def empty_changes(crs: Any) -> gpd.GeoDataFrame:
    """No changes at all, in a CRS: the full schema with no rows."""
    return table_of({}, [], crs)


def check_output(path: Path) -> None:
    """Refuse, before any work is done, a path that `write_changes` could not write.

    Raises OptionError for an unknown suffix, MissingDependencyError for a format whose package
    is not installed, OutputError for a folder that is missing or cannot be written.
    """
    _writer_of(path).check()
    check_target(path)
    if path.suffix.lower() == ".gpkg":
        _check_length(path)


def write_changes(changes: gpd.GeoDataFrame, path: Path, provenance: Mapping[str, str]) -> None:
    """`write_batches` of one table."""
    write_batches([changes], path, provenance)


def write_batches(
    changes: Batches,
    path: Path,
    provenance: Mapping[str, str],
    scene: SceneOf | None = None,
) -> None:
    """Write polygons in the format of the path's suffix, over whatever was there before.

    changes: the columns of COLUMNS and Polygon geometries, in any CRS; no rows is fine, no table is
        not. A GeoPackage is written table by table, the others need all of them in memory at once.
    provenance: what the run was (inputs, options, versions); GeoPackage keeps it as a table,
        the others in the file's own metadata.
    scene: gives what lies around them, once they are written; GeoPackage makes a layer and a
        project of it.

    Raises OptionError for an unknown suffix, InputError for other columns, geometries or no CRS,
    OutputError when the file cannot be written; whatever was at `path` is then still there. What
    `changes` raises goes through.
    """
    writer = _writer_of(path)
    formats = ", ".join(WRITERS)
    cure = f"check the free space; where {writer.name} cannot hold it, take another of {formats}"
    with (
        told_as_output(path, (DataSourceError, DataLayerError, FeatureError), cure),
        whole_by_driver(path) as part,
        ogr_name(part) as name,
    ):
        writer.write(map(_conform, changes), name, provenance, scene)


def read_changes(path: Path) -> gpd.GeoDataFrame:
    """The changes in a file that `write_changes` wrote, by their ids, with the columns of COLUMNS.

    GeoJSON gives longitudes and latitudes.
    """
    if path.suffix.lower() == ".parquet":
        changes = gpd.read_parquet(path)
    else:
        with ogr_name(path) as name:
            changes = pyogrio.read_dataframe(name, layer=LAYER)
    if len(changes) == 0:
        return empty_changes(changes.crs)
    # GeoJSON holds those over 180 degrees in parts.
    return _conform(changes, ("Polygon", "MultiPolygon")).sort_values("id", ignore_index=True)


def _check_length(path: Path) -> None:
    """Refuse a path that SQLite does not open. Raises OutputError."""
    grown = part_of(target_of(path)) / "changes.gpkg"
    room = LONGEST_PATH - len(os.fsencode(grown))
    if room < 0:
        raise OutputError(
            f"{shown(path)}: the path is {-room} bytes too long for a GeoPackage; write into a "
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
    """The columns of COLUMNS with their dtypes, then `geometry`; nothing is dropped unsaid."""
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
    """GeoPackage, a batch in memory at a time; styled, its fields described, with a project."""
    write_geopackage(changes, path, LAYER)
    run = pd.DataFrame({"key": list(provenance), "value": list(provenance.values())}, dtype="str")
    add_table(path, RUN_TABLE, run)
    furnish(path, LAYER, None if scene is None else scene())


def _write_geojson(
    changes: Batches, path: Path, provenance: Mapping[str, str], _: SceneOf | None
) -> None:
    """RFC 7946: longitude and latitude, outer rings to the left, cut at the antimeridian.

    GDAL moves corners alone, and loses the pole that an edge goes through.
    """
    options = {
        "RFC7946": "YES",
        "COORDINATE_PRECISION": "8",  # of a degree: about 1 mm, far below any pixel
        "DESCRIPTION": json.dumps(dict(provenance)),
    }
    write_whole(map(_in_degrees, changes), path, LAYER, "GeoJSON", options)


def _in_degrees(changes: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    try:
        outlines = degrees_of(changes.geometry.to_numpy(), changes.crs, EDGES_DEG)
    except ProjError as error:
        raise DataSourceError(f"{changes.crs.name} has no longitudes and latitudes") from error
    cut = gpd.GeoSeries([cut_at_180(each) for each in outlines], changes.index, LONLAT)
    return changes.set_geometry(cut)


def _write_fgb(
    changes: Batches, path: Path, provenance: Mapping[str, str], _: SceneOf | None
) -> None:
    """FlatGeobuf; its spatial index puts the rows in the order of a Hilbert curve."""
    write_whole(changes, path, LAYER, "FlatGeobuf", {"DESCRIPTION": json.dumps(dict(provenance))})


def _write_parquet(
    changes: Batches, path: Path, provenance: Mapping[str, str], _: SceneOf | None
) -> None:
    """GeoParquet 1.1; provenance is the file's key `geochange_run`, as JSON."""
    from pyarrow import parquet  # optional: nothing else of geochange needs it

    gather(changes).to_parquet(path, index=False, schema_version="1.1.0")
    table = parquet.read_table(path)
    geo = json.loads(table.schema.metadata[b"geo"])
    # geopandas lists the types it saw: for no rows, none. Polygons are promised either way.
    geo["columns"]["geometry"]["geometry_types"] = ["Polygon"]
    extra = {b"geo": json.dumps(geo), RUN_TABLE.encode(): json.dumps(dict(provenance))}
    parquet.write_table(table.replace_schema_metadata({**table.schema.metadata, **extra}), path)


def _nothing_to_check() -> None:
    """The format needs no package beyond geochange's own."""


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
