"""Every vector format keeps the same promises; GeoPackage and GeoJSON keep more."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import tempfile
import xml.etree.ElementTree as ET
from contextlib import closing
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from pyogrio.errors import DataSourceError
from pyproj import CRS, Transformer

from geochange.errors import InputError, MissingDependencyError, OptionError, OutputError
from geochange.qgis.schema import FIELDS
from geochange.qgis.style import PALETTE, polygon_qml
from geochange.vector.files import writers
from geochange.vector.files.writers import (
    COLUMNS,
    WRITERS,
    check_output,
    empty_changes,
    read_changes,
    table_of,
    write_changes,
)

UTM = CRS.from_epsg(32632)
CUSTOM = CRS.from_proj4("+proj=laea +lat_0=52.3 +lon_0=9.7 +x_0=1000 +y_0=7 +ellps=GRS80 +units=m")
PROVENANCE = {"before": "a 'quoted' ß.tif", "model": "cva"}
HOLED = shapely.box(500_100, 5_000_100, 500_200, 5_000_200) - shapely.box(
    500_120, 5_000_120, 500_150, 5_000_150
)

every_format = pytest.mark.parametrize("suffix", list(WRITERS))
every_crs = pytest.mark.parametrize(
    "crs", [UTM, CUSTOM, CRS.from_epsg(4326)], ids=["utm", "custom", "lonlat"]
)


def some_changes(crs: CRS = UTM) -> gpd.GeoDataFrame:
    shapes = [shapely.box(500_000, 5_000_000, 500_050, 5_000_020), HOLED]
    if crs.is_geographic:
        shapes = [shapely.transform(shape, lambda xy: xy / 1e5) for shape in shapes]
    elif crs == CUSTOM:
        shapes = [shapely.transform(shape, lambda xy: xy - (5e5, 5e6)) for shape in shapes]
    attributes = {
        "id": [1, 2],
        "area_m2": [1000.0, 9100.0],
        "perimeter_m": [140.0, 520.0],
        "confidence_mean": [0.75, 0.5],
        "confidence_max": [0.9, 1.0],
        "touches_edge": [True, False],
        "before_class": ["farmland", None],
        "after_class": ["building", None],
        "change": ["farmland -> building", None],
        "before_score": [0.8, None],
        "after_score": [0.25, None],
        "status": ["reject", "unset"],
    }
    return table_of(attributes, shapes, crs)


def read(path: Path) -> gpd.GeoDataFrame:
    if path.suffix.lower() == ".parquet":
        return gpd.read_parquet(path)
    return pyogrio.read_dataframe(path, layer="changes").sort_values("id", ignore_index=True)


def geo_metadata(path: Path) -> dict[str, Any]:
    from pyarrow import parquet

    metadata = parquet.read_metadata(path).metadata
    return {key.decode(): json.loads(metadata[key]) for key in (b"geo", b"geochange_run")}


@pytest.mark.slow
@every_format
@every_crs
def test_round_trip(tmp_path: Path, suffix: str, crs: CRS) -> None:
    path, changes = tmp_path / f"out{suffix}", some_changes(crs)
    write_changes(changes, path, PROVENANCE)
    back = read(path)
    if suffix == ".geojson":
        changes = changes.to_crs(4326)
    assert back.crs == changes.crs
    pd.testing.assert_frame_equal(
        pd.DataFrame(read_changes(str(path))[list(COLUMNS)]), pd.DataFrame(changes[list(COLUMNS)])
    )
    for ours, theirs in zip(changes.geometry, back.geometry, strict=True):
        assert shapely.equals_exact(ours.normalize(), theirs.normalize(), 1e-7)


@pytest.mark.slow
@every_format
def test_no_changes_is_a_valid_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write_changes(empty_changes(CUSTOM), path, PROVENANCE)
    if suffix == ".geojson":  # this format has no schema
        assert json.loads(path.read_text())["features"] == []
        return
    back = read(path)
    assert len(back) == 0 and back.crs == CUSTOM
    kinds = {
        name: "string" if back[name].dtype == object else str(back[name].dtype) for name in COLUMNS
    }
    assert kinds == dict(COLUMNS)
    if suffix == ".parquet":
        assert geo_metadata(path)["geo"]["columns"]["geometry"]["geometry_types"] == ["Polygon"]
    else:
        assert pyogrio.read_info(path, layer="changes")["geometry_type"] == "Polygon"


@every_format
def test_overwrites_and_leaves_nothing_beside(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("what was here before")
    write_changes(some_changes(), path, PROVENANCE)
    write_changes(some_changes().iloc[:1], path, PROVENANCE)
    assert len(read(path)) == 1
    assert list(tmp_path.iterdir()) == [path]


@every_format
def test_failure_leaves_the_old_file_alone(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("old")

    def fail(changes: gpd.GeoDataFrame, part: Path, provenance: object, scene: object) -> None:
        part.write_text("half")
        raise DataSourceError("disk full")

    broken = dataclasses.replace(WRITERS[suffix], write=fail)
    monkeypatch.setattr(writers, "WRITERS", {**WRITERS, suffix: broken})
    with pytest.raises(OutputError, match=r"disk full.*free space"):
        write_changes(some_changes(), path, PROVENANCE)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", [".geojson", ".fgb", ".gpkg"])
def test_rows_lost_in_silence_are_an_error(
    tmp_path: Path, suffix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = pyogrio.write_dataframe
    monkeypatch.setattr(
        pyogrio, "write_dataframe", lambda frame, *a, **k: honest(frame.iloc[:-1], *a, **k)
    )
    with pytest.raises(OutputError, match="1 of 2 rows"):
        write_changes(some_changes(), tmp_path / f"out{suffix}", PROVENANCE)
    assert list(tmp_path.iterdir()) == []


@every_format
def test_what_a_killed_run_left_is_cleared(tmp_path: Path, suffix: str) -> None:
    left = tmp_path / f".out{suffix}.part"
    left.mkdir()
    (left / f"out{suffix}").write_text("half")
    write_changes(some_changes(), tmp_path / f"out{suffix}", PROVENANCE)
    assert not left.exists()


@every_format
def test_columns_come_in_one_order_whatever_the_input(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"OUT{suffix.upper()}"
    odd = some_changes().astype({"id": "int32"}).rename_geometry("shape")
    write_changes(odd[["shape", *reversed(list(COLUMNS))]], path, {})
    assert list(read(path).columns) == [*COLUMNS, "geometry"]


@every_format
@pytest.mark.parametrize("rows", [0, 2])
def test_unnamed_changes_have_columns_of_text(tmp_path: Path, suffix: str, rows: int) -> None:
    path, changes = tmp_path / f"out{suffix}", some_changes().iloc[:rows]
    unsaid = changes[
        ["id", "area_m2", "perimeter_m", "confidence_mean", "confidence_max", "touches_edge"]
    ]
    write_changes(table_of(unsaid, changes.geometry, UTM), path, {})
    found = read_changes(path)
    assert found[["before_class", "after_class", "change"]].isna().all(axis=None)
    assert found[["before_score", "after_score"]].isna().all(axis=None)
    assert found["status"].tolist() == ["unset"] * rows
    if suffix == ".parquet":
        from pyarrow import parquet

        assert "string" in str(parquet.read_schema(path).field("change").type)


def test_input_that_is_not_changes_is_refused(tmp_path: Path) -> None:
    changes, path = some_changes(), tmp_path / "out.gpkg"
    multi = changes.dissolve().reset_index(drop=True)
    for wrong, why in (
        (changes.set_crs(None, allow_override=True), "no CRS"),
        (changes.drop(columns="area_m2"), "differ in area_m2"),
        (changes.assign(extra=1), "differ in extra"),
        (multi, "Polygon"),
    ):
        with pytest.raises(InputError, match=why):
            write_changes(wrong, path, {})
    assert list(tmp_path.iterdir()) == []


def test_provenance_is_kept(tmp_path: Path) -> None:
    for suffix in WRITERS:
        write_changes(some_changes(), tmp_path / f"out{suffix}", PROVENANCE)
    assert json.loads((tmp_path / "out.geojson").read_bytes())["description"] == json.dumps(
        PROVENANCE
    )
    fgb = pyogrio.read_info(tmp_path / "out.fgb")["layer_metadata"]["DESCRIPTION"]
    assert json.loads(fgb) == PROVENANCE
    assert geo_metadata(tmp_path / "out.parquet")["geochange_run"] == PROVENANCE
    table = pyogrio.read_dataframe(tmp_path / "out.gpkg", layer="geochange_run")
    assert dict(zip(table["key"], table["value"], strict=True)) == PROVENANCE


@pytest.mark.parametrize("rows", [0, 2])
def test_geopackage_inside(tmp_path: Path, rows: int) -> None:
    path = tmp_path / "changes.gpkg"
    write_changes(some_changes().iloc[:rows], path, PROVENANCE)
    database = sqlite3.connect(path)

    def ask(sql: str) -> list[Any]:
        return database.execute(sql).fetchall()

    assert ask("PRAGMA application_id") == [(int.from_bytes(b"GPKG"),)]
    assert ask("PRAGMA user_version") == [(10300,)]
    assert ask("PRAGMA integrity_check") == [("ok",)]
    assert ask("SELECT table_name, data_type FROM gpkg_contents ORDER BY 1") == [
        ("changes", "features"),
        ("geochange_run", "attributes"),
        ("layer_styles", "attributes"),
    ]
    assert ask("SELECT * FROM gpkg_geometry_columns") == [
        ("changes", "geom", "POLYGON", 32632, 0, 0)
    ]
    assert ask("SELECT table_name, extension_name FROM gpkg_extensions ORDER BY 1") == [
        ("changes", "gpkg_rtree_index"),
        ("gpkg_data_column_constraints", "gpkg_schema"),
        ("gpkg_data_columns", "gpkg_schema"),
    ]
    told = ask("SELECT column_name, title, constraint_name FROM gpkg_data_columns")
    assert told == [(n, f.alias, "status" if n == "status" else None) for n, f in FIELDS.items()]
    assert list(FIELDS) == list(COLUMNS)
    statuses = ask(
        "SELECT value FROM gpkg_data_column_constraints "
        "WHERE constraint_name = 'status' AND constraint_type = 'enum' ORDER BY rowid"
    )
    assert statuses == [("unset",), ("accept",), ("reject",)]
    assert ask('SELECT count(*) FROM "rtree_changes_geom"') == [(rows,)]
    database.close()


def test_geopackage_style_row(tmp_path: Path) -> None:
    path = tmp_path / "changes.gpkg"
    write_changes(some_changes(), path, PROVENANCE)
    database = sqlite3.connect(path)
    database.row_factory = sqlite3.Row
    rows = database.execute("SELECT * FROM layer_styles ORDER BY id").fetchall()
    database.close()
    assert [(row["styleName"], row["useAsDefault"]) for row in rows] == [
        ("confidence", 1),
        ("change", 0),
        ("review", 0),
    ]
    assert rows[0]["styleQML"] == polygon_qml()
    for row in rows:
        assert (row["f_table_name"], row["f_geometry_column"]) == ("changes", "geom")
        assert (row["f_table_catalog"], row["f_table_schema"]) == ("", "")  # QGIS finds no NULLs
        assert row["update_time"].endswith("Z") and "T" in row["update_time"]


@pytest.mark.slow
def test_changes_by_name_have_a_style_of_those_present(tmp_path: Path) -> None:
    path, some = tmp_path / "changes.gpkg", some_changes()
    rows = gpd.GeoDataFrame(pd.concat([some] * 20, ignore_index=True), crs=some.crs)
    # One frequent name, one with quotes, and more names than colours.
    rows["change"] = (
        ["a -> 'b' & <c>"] * 8 + ["within pond"] * 12 + [f"n {i:02}" for i in range(20)]
    )
    write_changes(rows, path, {})
    with closing(sqlite3.connect(path)) as database:
        ask = "SELECT styleQML FROM layer_styles WHERE styleName = 'change'"
        (qml,) = database.execute(ask).fetchone()
    categories = [each.get("value") for each in ET.fromstring(qml).iter("category")]
    most = len(PALETTE) - 2
    few = [f"n {i:02}" for i in range(most)]
    assert categories == ["within pond", "a -> 'b' & <c>", *few, ""]
    write_changes(rows.assign(change=pd.NA), path, {})
    with closing(sqlite3.connect(path)) as database:
        assert database.execute(ask).fetchone() is None


def test_geojson_follows_rfc_7946(tmp_path: Path) -> None:
    path = tmp_path / "changes.geojson"
    write_changes(some_changes(), path, PROVENANCE)
    document = json.loads(path.read_bytes())
    assert "crs" not in document
    for feature in document["features"]:
        outer, *inner = (shapely.LinearRing(r) for r in feature["geometry"]["coordinates"])
        assert outer.is_ccw and not any(ring.is_ccw for ring in inner)
        assert shapely.box(8.9, 45.1, 9.1, 45.2).contains(outer)


def test_geojson_is_cut_at_the_antimeridian(tmp_path: Path) -> None:
    changes = some_changes(CRS.from_epsg(32660)).iloc[:1]
    changes = changes.set_geometry([shapely.box(833_900, 50, 834_050, 150)], crs=changes.crs)
    write_changes(changes, tmp_path / "out.geojson", {})
    (shape,) = pyogrio.read_dataframe(tmp_path / "out.geojson").geometry
    assert [round(part.centroid.x) for part in shape.geoms] in ([180, -180], [-180, 180])


def test_geojson_holds_a_pole_that_an_edge_goes_through(tmp_path: Path) -> None:
    polar = CRS.from_epsg(3413)
    square = shapely.box(0, -1e5, 2e5, 1e5)
    changes = some_changes(polar).iloc[:1].set_geometry([square], crs=polar)
    write_changes(changes, tmp_path / "out.geojson", {})
    (shape,) = read_changes(tmp_path / "out.geojson").geometry
    lon, lat = np.meshgrid(np.arange(-179.5, 180, 4), np.arange(87.5, 90, 0.043))
    x, y = Transformer.from_crs(4326, polar, always_xy=True).transform(lon, lat)
    assert (shapely.contains_xy(shape, lon, lat) == shapely.contains_xy(square, x, y)).all()


@pytest.mark.parametrize("west", [200.0, -160.0, 560.0])
def test_geojson_counts_longitudes_from_minus_180(tmp_path: Path, west: float) -> None:
    box = shapely.box(west, 50, west + 0.1, 50.1)
    changes = some_changes(CRS.from_epsg(4326)).iloc[:1].set_geometry([box])
    write_changes(changes, tmp_path / "out.geojson", {})
    (shape,) = read_changes(tmp_path / "out.geojson").geometry
    assert shape.bounds == pytest.approx((-160, 50, -159.9, 50.1), abs=1e-8)


def test_crs_without_longitude_is_refused_by_geojson_alone(tmp_path: Path) -> None:
    local = CRS.from_wkt('LOCAL_CS["site",UNIT["metre",1]]')
    write_changes(some_changes(local), tmp_path / "out.gpkg", {})
    with pytest.raises(OutputError, match=r"GeoJSON.*choose another"):
        write_changes(some_changes(local), tmp_path / "out.geojson", {})


@every_format
def test_check_output_accepts(tmp_path: Path, suffix: str) -> None:
    check_output(tmp_path / f"out{suffix}")
    assert list(tmp_path.iterdir()) == []


def test_check_output_refuses(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"'out.shp'.*\.gpkg, \.geojson, \.fgb, \.parquet"):
        check_output(tmp_path / "out.shp")
    with pytest.raises(OptionError, match="'out'"):
        check_output(tmp_path / "out")
    with pytest.raises(OutputError, match="create it"):
        check_output(tmp_path / "nowhere" / "out.gpkg")
    (tmp_path / "folder.gpkg").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path / "folder.gpkg")


def test_check_output_tries_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    with pytest.raises(OutputError, match="Permission denied"):
        check_output(tmp_path / "out.gpkg")


def test_check_output_misses_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r'pip install "geochange\[parquet\]"'):
        check_output(tmp_path / "out.parquet")
    check_output(tmp_path / "out.gpkg")
