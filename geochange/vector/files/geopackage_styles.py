"""Completes a GeoPackage of changes with styles, descriptions of fields and a QGIS project.

GDAL writes the layers. This module writes tables that GDAL's driver does not support: the schema
extension of GeoPackage 1.3 (annex F.9) and QGIS's layer_styles and qgis_projects.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from geochange.land_cover import rgb_of
from geochange.qgis.project import Scene, Styles, project_of, zip_document
from geochange.qgis.schema import COVERAGE_FIELDS, FIELDS, STATUS, STATUSES, Field
from geochange.qgis.style import (
    STATUS_COLORS,
    categorised,
    change_colors,
    document,
    outlined,
    polygon_qml,
)
from geochange.vector.files.layers import add_layer, add_table, transaction

COVERAGE: Final = "coverage"
"""The layer of the processed area."""

PROJECT: Final = "changes"
"""The name of the QGIS project in the file."""

_SCHEMA_SQL: Final = """
CREATE TABLE gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name));
CREATE TABLE gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT, min NUMERIC,
  min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value));
CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
"""

_PROJECTS_SQL: Final = (
    "CREATE TABLE qgis_projects(name TEXT PRIMARY KEY, metadata BLOB, content BLOB)"
)

_EXTENSION: Final = "http://www.geopackage.org/spec121/#extension_schema"


def add_styles_and_project(
    path: Path, layer: str, scene: Scene | None, colours: Mapping[str, str] | None = None
) -> None:
    """Complete a GeoPackage with a layer of changes. Without a scene, it gets no coverage and project.

    colours: "#rrggbb" by class, where the classes of changes have colours of their own. Raises
    OSError if it cannot be written.
    """
    try:
        _add_styles_and_project(path, layer, scene, colours or {})
    except sqlite3.Error as error:  # often a full disk
        raise OSError(str(error)) from error


def _add_styles_and_project(
    path: Path, layer: str, scene: Scene | None, colours: Mapping[str, str]
) -> None:
    import pandas as pd  # takes a third of a second, and a run begins without it

    styles = Styles(_styles_of(path, layer, colours), {})
    rows = _style_rows(layer, styles.changes)
    if scene is not None:
        add_layer(scene.coverage, path, COVERAGE)
        styles = Styles(styles.changes, {"outline": document(outlined(), COVERAGE_FIELDS)})
        rows += _style_rows(COVERAGE, styles.coverage)
    add_table(path, "layer_styles", pd.DataFrame(rows))
    with transaction(path) as database:
        _describe_fields(database, layer, FIELDS)
        if scene is not None:
            _describe_columns(database, COVERAGE, COVERAGE_FIELDS)
            add_project(database, project_of(layer, scene, styles))


def _styles_of(path: Path, layer: str, colours: Mapping[str, str]) -> dict[str, str]:
    """QML by style name: confidence (the default), change, class before and after, review.

    A change is filled with the colour of its class after, and outlined with that of its class before.
    """
    styles = {"confidence": polygon_qml()}
    if colors := change_colors(_count_changes(path, layer), colours):
        lines, fills = zip(*colors.values(), strict=True)
        styles["change"] = document(categorised("change", list(colors), fills, lines), FIELDS)
    for field in ("before_class", "after_class") if colours else ():
        own = [rgb_of(colour) for colour in colours.values()]
        styles[field.replace("_", " ")] = document(categorised(field, list(colours), own), FIELDS)
    styles["review"] = document(categorised(STATUS, STATUSES, STATUS_COLORS), FIELDS)
    return styles


def _count_changes(path: Path, layer: str) -> dict[str, int]:
    """The number of changes by their names."""
    ask = f'SELECT change, count(*) FROM "{layer}" WHERE change IS NOT NULL GROUP BY change'
    with closing(sqlite3.connect(path)) as database:
        return {str(change): int(count) for change, count in database.execute(ask)}


def _style_rows(layer: str, styles: Mapping[str, str]) -> list[dict[str, object]]:
    """Rows of QGIS's table layer_styles, with the column names and empty strings of QGIS."""
    import pandas as pd

    now = pd.Timestamp.now("UTC").floor("ms")
    return [
        {
            "f_table_catalog": "",
            "f_table_schema": "",
            "f_table_name": layer,
            "f_geometry_column": "geom",
            "styleName": name,
            "styleQML": qml,
            "styleSLD": "",
            "useAsDefault": number == 0,
            "description": f"The layer {layer} by {name}",
            "owner": "",
            "ui": "",
            "update_time": now,
        }
        for number, (name, qml) in enumerate(styles.items())
    ]


def _describe_fields(database: sqlite3.Connection, layer: str, fields: Mapping[str, Field]) -> None:
    """Write the tables of the schema extension: the fields of changes and the values of status."""
    # One transaction with all that follows: SQLite waits for the disk after each.
    database.executescript(f"BEGIN; {_SCHEMA_SQL}")
    database.executemany(
        "INSERT INTO gpkg_extensions VALUES (?, NULL, 'gpkg_schema', ?, 'read-write')",
        [(table, _EXTENSION) for table in ("gpkg_data_columns", "gpkg_data_column_constraints")],
    )
    database.executemany(
        "INSERT INTO gpkg_data_column_constraints (constraint_name, constraint_type, value) "
        "VALUES (?, 'enum', ?)",
        [(STATUS, status) for status in STATUSES],
    )
    _describe_columns(database, layer, fields)


def _describe_columns(
    database: sqlite3.Connection, layer: str, fields: Mapping[str, Field]
) -> None:
    database.executemany(
        "INSERT INTO gpkg_data_columns VALUES (?, ?, ?, ?, ?, NULL, ?)",
        [
            (
                layer,
                name,
                field.alias,
                field.alias,
                field.description,
                STATUS if name == STATUS else None,
            )
            for name, field in fields.items()
        ],
    )


def add_project(database: sqlite3.Connection, document_xml: str) -> None:
    """Write a project as QGIS stores it: a zipped .qgs file in hexadecimal digits."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
    told = f'{{"last_modified_time": "{now}", "last_modified_user": "geochange" }}'
    database.execute(_PROJECTS_SQL)
    content = zip_document(document_xml, f"{PROJECT}.qgs").hex()
    database.execute("INSERT INTO qgis_projects VALUES (?, ?, ?)", (PROJECT, told, content))
