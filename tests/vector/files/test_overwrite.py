"""What a reviewer said is not lost to the next run, whatever the format."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely
from makers import UTM, make_raster, noise

from geochange.config import RunOptions
from geochange.errors import OutputError
from geochange.vector.files.overwrite import refuse_foreign, refuse_reviewed, reviewed
from geochange.vector.files.writers import WRITERS, empty_changes, table_of, write_changes
from geochange.workflows.preflight import check_run


def write(path: Path, *statuses: str) -> Path:
    count = len(statuses)
    figures = ("area_m2", "perimeter_m", "confidence_mean", "confidence_max", "touches_edge")
    attributes = {
        **dict.fromkeys(figures, [1.0] * count),
        "id": range(1, count + 1),
        "status": statuses,
    }
    boxes = [shapely.box(5e5 + i, 5e6, 5e5 + i + 0.5, 5e6 + 1) for i in range(count)]
    write_changes(table_of(attributes, boxes, UTM), path, {})
    return path


@pytest.mark.parametrize("suffix", list(WRITERS))
def test_reviews_are_counted_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"changes{suffix}"
    assert reviewed(path) == 0
    assert reviewed(write(path, "unset", "unset")) == 0
    assert reviewed(write(path, "unset", "accept", "reject", "accept")) == 3
    path.write_text("what was here before")
    assert reviewed(path) == 0


def test_a_run_over_reviews_is_refused_before_any_work(tmp_path: Path) -> None:
    before = make_raster(tmp_path / "before.tif", noise((40, 50, 3)))
    after = make_raster(tmp_path / "after.tif", noise((40, 50, 3), seed=1))
    out = write(tmp_path / "changes.gpkg", "accept", "unset")
    there = out.read_bytes()
    with pytest.raises(OutputError, match=r"holds 1 reviewed polygons; .*--overwrite"):
        check_run(before, after, out, RunOptions())
    assert out.read_bytes() == there
    check_run(before, after, out, RunOptions(overwrite=True))
    check_run(before, after, write(out, "unset"), RunOptions())


def test_reviews_that_were_not_written_home_yet_count(tmp_path: Path) -> None:
    """As in QGIS: changes wait in SQLite's journal while the file is open."""
    out = write(tmp_path / "changes.gpkg", "unset")
    with closing(sqlite3.connect(out)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE mine (said TEXT)")
        database.commit()
        with pytest.raises(OutputError, match="open in another program"):
            refuse_reviewed(out, overwrite=True)


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb", ".parquet"])
def test_what_no_run_wrote_is_not_replaced(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"parcels{suffix}"
    parcels = gpd.GeoDataFrame({"owner": ["A"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=32632)
    if suffix == ".parquet":
        parcels.to_parquet(out)
    else:
        pyogrio.write_dataframe(parcels, out)
    kept = out.read_bytes()
    with pytest.raises(OutputError, match="which would be lost; give another --out") as error:
        refuse_foreign(out, overwrite=False)
    assert "\n" not in str(error.value)
    refuse_foreign(out, overwrite=True)
    assert out.read_bytes() == kept


def test_a_layer_of_ones_own_beside_changes_is_not_lost(tmp_path: Path) -> None:
    out = tmp_path / "changes.gpkg"
    write_changes(empty_changes("EPSG:32632"), out, {"geochange": "0"})
    refuse_foreign(out, overwrite=False)
    notes = gpd.GeoDataFrame({"note": ["look"]}, geometry=[shapely.Point(0, 0)], crs=32632)
    pyogrio.write_dataframe(notes, out, layer="notes", append=True)
    with pytest.raises(OutputError, match="holds notes"):
        refuse_foreign(out, overwrite=False)
