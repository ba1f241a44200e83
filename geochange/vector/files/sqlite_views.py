"""Views of GeoPackages: queries that SQLite runs in the place of a table, and that may have no end.

A view costs its file a hundred bytes and its reader whatever it asks for: rows without end, or a
blob of a gigabyte. GDAL runs it when it opens the file or counts its rows.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from geochange.errors import InputError, one_line
from geochange.files.sqlite_files import uri_of

MOST_STEPS = 10_000_000
"""Of SQLite's machine, for all rows of a view: a second. A row takes about fifteen."""

STEPS_AT_ONCE = 1_000_000

MOST_BYTES = 100_000_000
"""Of one value in a row."""

SYSTEM = ("gpkg_", "rtree_", "sqlite_")
"""How tables of GeoPackage and SQLite begin; none of them is a view."""


def refuse_endless_views(file: Path, path: Path) -> None:
    """Refuse a GeoPackage one of whose layers is a query that takes too long. Raises InputError.

    file: the GeoPackage. path: the user's name for it, if `file` is a copy. A file whose list of
    tables cannot be read is left to GDAL.
    """
    try:
        with closing(sqlite3.connect(uri_of(file.absolute(), "mode=ro"), uri=True)) as database:
            database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MOST_BYTES)
            for view in _views(database):
                _check_view(path, view, database)
    except (sqlite3.Error, UnicodeDecodeError):
        return


def _views(database: sqlite3.Connection) -> list[str]:
    """The views that GDAL would read: layers, and those in the place of a table of GeoPackage."""
    listed = database.execute("SELECT name, type FROM sqlite_master")
    kinds = {str(name).lower(): str(kind) for name, kind in listed}
    views = [name for name, kind in kinds.items() if kind == "view"]
    if not views or kinds.get("gpkg_contents") != "table":
        return views
    layers = {
        str(name).lower() for (name,) in database.execute("SELECT table_name FROM gpkg_contents")
    }
    return [name for name in views if name in layers or name.startswith(SYSTEM)]


def _check_view(path: Path, view: str, database: sqlite3.Connection) -> None:
    """Read all rows of a view. Raises InputError where that takes too long, or cannot be done."""
    # GeoPackage has none in the place of its own tables, so they may give up at once.
    turns = iter(range(0 if view.startswith(SYSTEM) else MOST_STEPS // STEPS_AT_ONCE))
    database.set_progress_handler(lambda: next(turns, None) is None, STEPS_AT_ONCE)
    quoted = view.replace('"', '""')
    try:
        for _ in database.execute(f'SELECT * FROM "{quoted}"'):
            pass
    except (sqlite3.Error, UnicodeDecodeError) as error:
        why = "takes too long" if "interrupted" in str(error) else f"fails ({one_line(error)})"
        raise InputError(
            f"{path}: {view} is no table but a query, which {why}; export its rows as a new "
            "GeoPackage (QGIS: Export > Save Features As)"
        ) from error
    finally:
        database.set_progress_handler(None, 0)
