"""Refuses to overwrite files that hold reviews, that geochange did not write, or that are unreadable."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from geochange.errors import OutputError, one_line
from geochange.files.sidecar_files import refuse_orphaned_sidecars
from geochange.files.sqlite_files import CURES, Obstacle, obstacle_to
from geochange.qgis.schema import STATUS, STATUSES
from geochange.vector.files.geopackage_styles import COVERAGE
from geochange.vector.files.ogr_name import ogr_name
from geochange.vector.files.writers import COLUMNS, LAYER, RUN_TABLE

if TYPE_CHECKING:
    import pandas as pd

_TABLES = {LAYER, COVERAGE, RUN_TABLE, "layer_styles", "qgis_projects"}
"""Tables that a run writes."""

_SYSTEM = ("gpkg_", "rtree_", "sqlite_")
"""The prefixes of system tables in GeoPackage and SQLite."""

_FIELDS = {"area_m2", "confidence_mean", "confidence_max"}
"""The fields by which a layer of changes is recognised."""

_OWN_FIELDS = {*COLUMNS, "fid", "geom", "geometry", "date_from", "date_to"}

_REVIEW_FIELDS = (STATUS, "confidence_mean")
"""The fields that show whether a person edited a change: a run always writes a confidence."""


@dataclass(frozen=True, slots=True)
class Contents:
    """The contents of an existing file.

    foreign: tables and fields that no run writes. reviewed: changes that a person reviewed or drew.
    """

    foreign: Sequence[str] = ()
    reviewed: int = 0


def refuse_foreign(path: Path, overwrite: bool) -> None:
    """Refuse to overwrite a file that holds anything besides changes of an earlier run.

    Raises OutputError.
    """
    held = ", ".join(_contents_of(path, overwrite).foreign[:3])
    if held:
        raise OutputError(
            f"{path}: holds {held}, which would be lost; give another --out, or add --overwrite"
        )


def refuse_reviewed(path: Path, overwrite: bool) -> None:
    """Refuse to overwrite reviewed changes, or a file that cannot be opened now.

    overwrite: allows to lose reviews and damaged files. A file that is open in another program or is
    write-protected is never overwritten. Raises OutputError.
    """
    refuse_orphaned_sidecars(path, overwrite)
    count = _contents_of(path, overwrite).reviewed
    if count:
        raise OutputError(
            f"{path}: holds {count:,} reviewed polygons; give another --out, or add --overwrite to "
            "lose the reviews"
        )


def reviewed(path: Path) -> int:
    """The number of changes that a person reviewed or drew; 0 if the file does not exist.

    Raises OutputError for a file that cannot be read.
    """
    return _contents_of(path, overwrite=False).reviewed


def _contents_of(path: Path, overwrite: bool) -> Contents:
    """The contents of a file; empty if it may be overwritten.

    Raises OutputError if the file must stay, or if its contents cannot be determined.
    """
    if not path.is_file():
        return Contents()
    is_geopackage = path.suffix.lower() == ".gpkg"
    found = obstacle_to(path, alone=True) if is_geopackage else None
    if found is not None and found.is_passing:
        raise OutputError(f"{path}: {found}; {CURES[found.obstacle]}, or give another --out")
    if overwrite or path.stat().st_size == 0:
        return Contents()
    if found is not None and found.obstacle is Obstacle.FOREIGN:
        return Contents(["another format than GeoPackage"])
    if found is not None:
        raise _unknown(path, str(found))
    return _in_geopackage(path) if is_geopackage else _in_other(path)


def _unknown(path: Path, reason: str) -> OutputError:
    return OutputError(
        f"{path}: {reason}, so it is unknown whether it holds reviews; restore it from a copy, "
        "give another --out, or add --overwrite to lose it"
    )


def _in_geopackage(path: Path) -> Contents:
    try:
        return _counted(path)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise _unknown(path, f"is damaged ({error})") from error


def _counted(path: Path) -> Contents:
    """The contents of a GeoPackage, from SQL queries. Raises sqlite3.Error."""
    with closing(sqlite3.connect(path)) as database:
        kinds = dict(
            database.execute("SELECT name, type FROM sqlite_master WHERE type IN ('table', 'view')")
        )
        tables = {name for name in kinds if not name.startswith(_SYSTEM)}
        if kinds.get(LAYER) == "view":  # a query, which nobody can tell the end of
            return Contents([f"the view {LAYER}"])
        fields = [row[1] for row in database.execute(f'PRAGMA table_info("{LAYER}")')]
        if not set(fields) >= _FIELDS:
            return Contents(sorted(tables))
        judged = "confidence_mean IS NULL"
        if STATUS in fields:
            judged += f" OR ifnull({STATUS}, '') NOT IN ('', '{STATUSES[0]}')"
        (count,) = database.execute(f'SELECT count(*) FROM "{LAYER}" WHERE {judged}').fetchone()
    return Contents([*sorted(tables - _TABLES), *_foreign_fields(fields)], count)


def _in_other(path: Path) -> Contents:
    from geochange.vector.files.polygon_reader import UNREADABLE  # takes its time to import

    try:
        fields = _fields_of(path)
        if not set(fields) >= _FIELDS:
            return Contents(["data that no run wrote"])
        rows = _rows_of(path, [field for field in _REVIEW_FIELDS if field in fields])
    except (*UNREADABLE, ValueError) as error:  # pyarrow raises ValueError
        raise _unknown(path, f"cannot be read ({one_line(error)})") from error
    judged = rows["confidence_mean"].isna()
    if STATUS in rows:
        judged = judged | ~rows[STATUS].fillna("").isin(["", STATUSES[0]])
    return Contents(_foreign_fields(fields), int(judged.sum()))


def _fields_of(path: Path) -> list[str]:
    if path.suffix.lower() == ".parquet":
        from pyarrow import parquet  # optional; installed if this format was chosen

        return list(parquet.read_schema(path).names)
    import pyogrio

    with ogr_name(path) as name:
        return list(pyogrio.read_info(name)["fields"])


def _rows_of(path: Path, fields: list[str]) -> pd.DataFrame:
    """Some fields of every change. Raises UNREADABLE, or ValueError if changes are missing."""
    import pandas as pd
    import pyogrio

    if path.suffix.lower() == ".parquet":
        return pd.read_parquet(path, columns=fields)
    with ogr_name(path) as name:
        rows = pyogrio.read_dataframe(name, columns=fields, read_geometry=False)
        count = pyogrio.read_info(name)["features"]
    if len(rows) < count:
        raise ValueError(f"{len(rows)} of {count} polygons are there")
    return rows


def _foreign_fields(fields: Sequence[str]) -> list[str]:
    """Fields that no run writes."""
    return [f"the field {field}" for field in fields if field not in _OWN_FIELDS]
