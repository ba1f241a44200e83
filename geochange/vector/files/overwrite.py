"""What stands where changes are to go: other people's files, and reviews, are not written over."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError

from geochange.errors import OutputError
from geochange.qgis.schema import STATUS, STATUSES
from geochange.vector.files.geopackage import COVERAGE
from geochange.vector.files.writers import LAYER, RUN_TABLE

_NOT_OURS = (DataSourceError, DataLayerError, FeatureError, FieldError, OSError, ValueError)

_TABLES = {LAYER, COVERAGE, RUN_TABLE, "layer_styles", "qgis_projects"}
_FIELDS = {"area_m2", "confidence_mean", "confidence_max"}
"""By what a file of changes is known: its tables in a GeoPackage, else its fields."""


def refuse_foreign(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file that holds anything but changes of an earlier run.

    Raises OutputError.
    """
    if overwrite or not path.exists() or path.is_dir():
        return
    if path.suffix.lower() == ".gpkg":
        tables = _tables(path)
        strange = sorted(tables - _TABLES) if RUN_TABLE in tables else sorted(tables) or ["nothing"]
        held = ", ".join(strange[:3])
    else:
        held = "" if _fields(path) >= _FIELDS else "what no run wrote"
    if held:
        raise OutputError(
            f"{path}: holds {held}, which would be lost; give another --out, or add --overwrite"
        )


def _tables(path: Path) -> set[str]:
    try:
        return set(pyogrio.list_layers(path)[:, 0])
    except _NOT_OURS:
        return set()


def _fields(path: Path) -> set[str]:
    try:
        if path.suffix.lower() == ".parquet":
            from pyarrow import parquet  # optional, and there if such a file was asked for

            return set(parquet.read_schema(path).names)
        return set(pyogrio.read_info(path)["fields"])
    except _NOT_OURS:
        return set()


def refuse_reviewed(path: Path, overwrite: bool) -> None:
    """Refuse to replace a file of changes of which some are accepted or rejected, or open elsewhere.

    overwrite: the reviews may go; a file that is open in another program still stays. Raises
    OutputError.
    """
    journal = path.with_name(f"{path.name}-wal")
    if path.exists() and journal.is_file() and journal.stat().st_size:
        # SQLite would apply it to the file that takes the place of this one.
        raise OutputError(
            f"{path}: open in another program, such as QGIS; close it there, or give another --out"
        )
    count = 0 if overwrite else reviewed(path)
    if count:
        raise OutputError(
            f"{path}: holds {count:,} reviewed polygons; give another --out, or add --overwrite to "
            "lose what was said of them"
        )


def reviewed(path: Path) -> int:
    """How many changes in a file have a status; 0 for a file that is not there or holds no such."""
    if not path.is_file():
        return 0
    try:
        return int(_said(path).isin(STATUSES[1:]).sum())
    except _NOT_OURS:
        return 0


def _said(path: Path) -> pd.Series:
    """The statuses in a file that are not unset."""
    if path.suffix.lower() == ".parquet":
        return pd.read_parquet(path, columns=[STATUS])[STATUS]
    layer = LAYER if path.suffix.lower() == ".gpkg" else None
    where = f"{STATUS} <> '{STATUSES[0]}'"
    rows = pyogrio.read_dataframe(
        path, layer=layer, columns=[STATUS], where=where, read_geometry=False
    )
    return rows[STATUS]
