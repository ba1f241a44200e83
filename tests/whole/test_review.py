"""What a reviewer said is not lost to the next run, whatever the format."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
import shapely
from makers import UTM, make_raster, noise

from geochange.check import check
from geochange.config import RunOptions
from geochange.errors import OutputError
from geochange.geo.review import refuse_reviewed, reviewed
from geochange.geo.vector import WRITERS, table_of, write_changes


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
        check(before, after, out, RunOptions())
    assert out.read_bytes() == there
    check(before, after, out, RunOptions(overwrite=True))
    check(before, after, write(out, "unset"), RunOptions())


def test_reviews_that_were_not_written_home_yet_count(tmp_path: Path) -> None:
    """As in QGIS: changes wait in SQLite's journal while the file is open."""
    out = write(tmp_path / "changes.gpkg", "unset")
    with closing(sqlite3.connect(out)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE mine (said TEXT)")
        database.commit()
        with pytest.raises(OutputError, match="open in another program"):
            refuse_reviewed(out, overwrite=True)
