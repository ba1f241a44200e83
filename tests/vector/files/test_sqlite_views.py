"""GeoPackages in which a query stands where a table should: read, or refused in seconds."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from polygon_files import ROWS, grid_of, make_polygons, square, with_view

from geochange.errors import InputError, OutputError
from geochange.vector.files import sqlite_views
from geochange.vector.files.overwrite import refuse_foreign
from geochange.vector.files.polygon_reader import find_layer, read_outlines


def test_a_view_with_an_end_is_read(tmp_path: Path) -> None:
    path = with_view(tmp_path / "area.gpkg", "SELECT fid, geom, name FROM held")
    layer = find_layer(path)
    assert (layer.name, layer.features) == ("area", 1)
    assert len(read_outlines(layer, grid_of((20, 20)))) == 1


ENDLESS = {
    "rows": (f"{ROWS}SELECT x AS fid, (SELECT geom FROM held) AS geom FROM r", "area"),
    "no row": (f"{ROWS}SELECT x AS fid, NULL AS geom FROM r WHERE x < 0", "area"),
    "a list of layers": (f"{ROWS}SELECT x AS table_name FROM r", "gpkg_contents"),
    "a large blob": ("SELECT 1 AS fid, zeroblob(900000000) AS geom", "area"),
    "a function": ("SELECT fid, nowhere(geom) AS geom FROM held", "area"),
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ENDLESS)
def test_one_without_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_views, "MOST_STEPS", 3_000_000)
    query, table = ENDLESS[kind]
    path = with_view(tmp_path / "area.gpkg", query, table)
    with pytest.raises(InputError, match=rf"{table} is no table but a query, which .*; export"):
        find_layer(path)


def test_a_view_that_is_no_layer_is_nobodys_concern(tmp_path: Path) -> None:
    path = make_polygons(tmp_path / "area.gpkg", [square(1, 1, 5)])
    with closing(sqlite3.connect(path)) as database, database:
        database.execute(f"CREATE VIEW other AS {ROWS}SELECT x FROM r")
    assert find_layer(path).features == 1


def test_a_schema_in_other_bytes_than_utf8_is_damage(tmp_path: Path) -> None:
    """SQLite quotes the bytes in its message, which Python cannot decode."""
    path = make_polygons(tmp_path / "area.gpkg", [square(1, 1, 5)])
    data = path.read_bytes()
    path.write_bytes(data.replace(b'CREATE TABLE "area"', b'CREATE \xe5ABLE "area"'))
    assert path.read_bytes() != data
    with pytest.raises(InputError, match="is damaged"):
        find_layer(path)
    with pytest.raises(OutputError, match="is damaged"):
        refuse_foreign(path, overwrite=False)
