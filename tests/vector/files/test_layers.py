"""A GeoPackage written in batches equals one written at once."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from pyproj import CRS

from geochange.errors import OutputError
from geochange.vector.files.layers import concatenate_batches, synced_once
from geochange.vector.files.writers import (
    COLUMNS,
    empty_changes,
    read_changes,
    table_of,
    write_batches,
)

UTM = CRS.from_epsg(32632)
ROWS = 11


def table() -> gpd.GeoDataFrame:
    number = np.arange(1, ROWS + 1)
    return table_of(
        {
            "id": number,
            "area_m2": number * 100.0,
            "perimeter_m": number + 0.1,
            "confidence_mean": number / 20,
            "confidence_max": number / 12,
            "touches_edge": number % 3 == 0,
            # The first batch, which defines the columns, has no class names.
            "change": [None] * 5 + ["farmland -> pond"] * (ROWS - 5),
            "before_score": [None] * 5 + [0.5] * (ROWS - 5),
        },
        shapely.box(500_000 + number, 5_000_000, 500_000 + 2 * number, 5_000_003),
        UTM,
    )


def batches(size: int) -> Iterator[gpd.GeoDataFrame]:
    yield empty_changes(UTM)
    for start in range(0, ROWS, size):
        yield table().iloc[start : start + size]
    yield empty_changes(UTM)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".parquet"])
@pytest.mark.parametrize("size", [1, 4, ROWS])
def test_batches_make_one_file(tmp_path: Path, suffix: str, size: int) -> None:
    path = tmp_path / f"out{suffix}"
    write_batches(batches(size), path, {})
    found = read_changes(path)
    expected = table().to_crs(4326) if suffix == ".geojson" else table()
    assert {name: str(found[name].dtype) for name in COLUMNS} == dict(COLUMNS)
    pd.testing.assert_frame_equal(
        pd.DataFrame(found[list(COLUMNS)]), pd.DataFrame(expected[list(COLUMNS)])
    )
    assert found.geometry.normalize().geom_equals_exact(expected.geometry.normalize(), 1e-7).all()
    assert found.crs == expected.crs


@pytest.mark.slow
def test_every_row_is_in_the_spatial_index(tmp_path: Path) -> None:
    path = tmp_path / "out.gpkg"
    write_batches(batches(3), path, {})
    database = sqlite3.connect(path)
    (indexed,) = database.execute('SELECT count(*) FROM "rtree_changes_geom"').fetchone()
    fids = [fid for (fid,) in database.execute("SELECT fid FROM changes ORDER BY id")]
    database.close()
    assert indexed == ROWS
    assert fids == list(range(1, ROWS + 1))
    some = pyogrio.read_dataframe(path, layer="changes", bbox=(500_021, 5e6, 500_023, 5e6 + 1))
    assert some["id"].tolist() == [11]


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".parquet"])
def test_nothing_but_empty_batches_is_a_valid_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    write_batches([empty_changes(UTM), empty_changes(UTM)], path, {})
    found = read_changes(path)
    assert len(found) == 0
    assert {name: str(found[name].dtype) for name in COLUMNS} == dict(COLUMNS)


@pytest.mark.slow
@pytest.mark.parametrize("lost", [1, 2, 3])
def test_rows_lost_from_any_batch_are_noticed(
    tmp_path: Path, lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest, calls = pyogrio.write_dataframe, []

    def lossy(frame: gpd.GeoDataFrame, *args: object, **how: object) -> None:
        calls.append(len(frame))
        honest(frame.iloc[:-1] if len(calls) == lost + 1 else frame, *args, **how)

    monkeypatch.setattr(pyogrio, "write_dataframe", lossy)
    with pytest.raises(OutputError, match=f"{ROWS - 1} of {ROWS} rows"):
        write_batches(batches(4), tmp_path / "out.gpkg", {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_cut_short_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = pyogrio.write_dataframe

    def cut_short(frame: gpd.GeoDataFrame, path: Path, **how: object) -> None:
        honest(frame, path, **how)
        if frame["id"].max() == ROWS:
            os.truncate(path, path.stat().st_size // 2)

    monkeypatch.setattr(pyogrio, "write_dataframe", cut_short)
    with pytest.raises(OutputError, match="free space"):
        write_batches([table()], tmp_path / "out.gpkg", {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_what_breaks_between_batches_leaves_nothing(tmp_path: Path) -> None:
    def breaking() -> Iterator[gpd.GeoDataFrame]:
        yield from batches(4)
        raise RuntimeError("the fourth batch")

    with pytest.raises(RuntimeError, match="the fourth batch"):
        write_batches(breaking(), tmp_path / "out.gpkg", {})
    assert list(tmp_path.iterdir()) == []


def test_gathering_keeps_types_and_crs() -> None:
    found = concatenate_batches(batches(4))
    assert found.crs == UTM
    assert {name: str(found[name].dtype) for name in COLUMNS} == dict(COLUMNS)
    assert found["id"].tolist() == list(range(1, ROWS + 1))


@pytest.mark.parametrize(("setting", "syncs"), [(None, 1), ("FULL", 1), ("OFF", 0)])
def test_the_disk_is_waited_for_once_unless_told_not_to(
    setting: str | None, syncs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, synced = "OGR_SQLITE_SYNCHRONOUS", []
    monkeypatch.setattr(os, "fsync", synced.append)
    monkeypatch.delenv(name)
    pyogrio.set_gdal_config_options({name: setting})
    usual = pyogrio.get_gdal_config_option(name)
    try:
        write_batches([table()], tmp_path / "x.gpkg", {})
        assert pyogrio.get_gdal_config_option(name) == usual
    finally:
        pyogrio.set_gdal_config_options({name: None})
    assert len(synced) == syncs
    assert len(read_changes(tmp_path / "x.gpkg")) == ROWS


def test_a_setting_is_restored_after_an_error(tmp_path: Path) -> None:
    usual = pyogrio.get_gdal_config_option("OGR_SQLITE_SYNCHRONOUS")
    with pytest.raises(OSError, match="full"), synced_once(tmp_path / "x.gpkg"):
        raise OSError("full")
    assert pyogrio.get_gdal_config_option("OGR_SQLITE_SYNCHRONOUS") == usual
