"""Reviews: what people have said of changes is not written over by the next run."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyogrio
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError

from geochange.errors import OutputError
from geochange.geo.fields import STATUS, STATUSES
from geochange.geo.vector import LAYER

_NOT_OURS = (DataSourceError, DataLayerError, FeatureError, FieldError, OSError, ValueError)


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
