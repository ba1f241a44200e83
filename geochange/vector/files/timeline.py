"""Writes changes of several pairs to one GeoPackage, with their dates, so that QGIS can play them."""

from __future__ import annotations

import sqlite3
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Final

import geopandas as gpd
import pandas as pd
from pyproj import CRS

from geochange.errors import InputError, OutputError
from geochange.files.atomic import as_output_error, atomic_driver_path
from geochange.qgis.project import plain_project
from geochange.qgis.xml import from_text, to_text
from geochange.vector.files.geopackage_styles import add_project, add_styles_and_project
from geochange.vector.files.layers import synced_once, transaction, write_geopackage
from geochange.vector.files.ogr_name import ogr_name
from geochange.vector.files.overwrite import refuse_foreign, refuse_reviewed
from geochange.vector.files.polygon_reader import UNREADABLE
from geochange.vector.files.writers import LAYER, check_output

FROM, TO = "date_from", "date_to"
"""The attributes with the dates before and after each change."""

_TEMPORAL: Final[Mapping[str, str]] = MappingProxyType(
    {
        "enabled": "1",
        "mode": "2",  # QGIS's ModeFeatureDateTimeStartAndEndFromFields
        "startField": FROM,
        "endField": TO,
        "limitMode": "0",  # the start is included, the end is excluded
        "fixedDuration": "0",
        "durationUnit": "d",
        "durationField": "",
        "accumulate": "0",
        "startExpression": "",
        "endExpression": "",
    }
)


@dataclass(frozen=True)
class Span:
    """The changes between two days."""

    start: date
    end: date
    changes: gpd.GeoDataFrame


def write_timeline(spans: Sequence[Span], path: Path, overwrite: bool = False) -> int:
    """Write all changes with their dates, with styles and time settings for QGIS. Returns their number.

    They are reprojected to the CRS of the first span, and get new ids. overwrite: allows to lose
    reviews of an earlier file. Raises InputError without spans. Raises OptionError or OutputError if
    `path` is not a GeoPackage, cannot be written or holds reviews; then the old file stays.
    """
    if not spans:
        raise InputError(f"{path}: there are no changes to write; give at least one pair")
    check_timeline(path, overwrite)
    rows = _concatenate(spans)
    with (
        as_output_error(path, (*UNREADABLE, sqlite3.Error)),
        atomic_driver_path(path) as part,
        ogr_name(part) as name,
        synced_once(name),
    ):
        write_geopackage([rows], name, LAYER)
        add_styles_and_project(name, LAYER, None)
        _add_temporal_style(name, path.name, CRS.from_user_input(rows.crs))
    return len(rows)


def check_timeline(path: Path, overwrite: bool = False) -> None:
    """Refuse a path that `write_timeline` could not write, before any work is done.

    Raises OptionError or OutputError.
    """
    if path.suffix.lower() != ".gpkg":
        raise OutputError(f"{path}: a timeline is a GeoPackage; end its name in .gpkg")
    check_output(path)
    refuse_reviewed(path, overwrite)
    refuse_foreign(path, overwrite)


def _add_temporal_style(path: Path, file: str, crs: CRS) -> None:
    """Add time settings to the styles, and a project, because QGIS 3.22 does not play a single layer.

    file: the final name of the GeoPackage.
    """
    with transaction(path) as database:
        found = "SELECT id, styleName, styleQML FROM layer_styles ORDER BY id"
        styles = {}
        for number, name, qml in database.execute(found).fetchall():
            styles[name] = with_temporal_settings(qml)
            change = "UPDATE layer_styles SET styleQML = ? WHERE id = ?"
            database.execute(change, (styles[name], number))
        add_project(database, plain_project(file, LAYER, crs, styles))


def with_temporal_settings(qml: str) -> str:
    """A style of changes with the settings for QGIS's temporal controller."""
    root = from_text(qml)
    root.set("styleCategories", f"{root.get('styleCategories')}|Temporal")
    temporal = ET.SubElement(root, "temporal", dict(_TEMPORAL))
    fixed = ET.SubElement(temporal, "fixedRange")
    for name in ("start", "end"):
        ET.SubElement(fixed, name)
    return to_text(root)


def _concatenate(spans: Sequence[Span]) -> gpd.GeoDataFrame:
    crs = spans[0].changes.crs
    tables = []
    for span in spans:
        days = {FROM: pd.Timestamp(span.start), TO: pd.Timestamp(span.end)}
        tables.append(span.changes.to_crs(crs).assign(**days))
    filled = [table for table in tables if len(table)] or tables[:1]
    rows = gpd.GeoDataFrame(pd.concat(filled, ignore_index=True), crs=crs)
    rows[[FROM, TO]] = rows[[FROM, TO]].astype("datetime64[ms]")
    return rows.assign(id=range(1, len(rows) + 1))
