"""A run never overwrites reviews, for any format and state of the file."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from makers import make_raster, noise
from odd_outputs import (
    STATES,
    WAYS_TO_HOLD,
    cut,
    held_open,
    journals,
    leave_hot_journal,
    leave_wal,
    write_foreign,
    write_reviewed,
)

from geochange.config import RunOptions
from geochange.errors import OutputError
from geochange.vector.files.overwrite import refuse_foreign, refuse_reviewed, reviewed
from geochange.vector.files.writers import WRITERS, check_output, read_changes
from geochange.workflows.preflight import check_run

OTHERS = [suffix for suffix in WRITERS if suffix != ".gpkg"]


def said_of(path: Path, overwrite: bool = False) -> str:
    """The error for a file of changes at this path; empty if it may be written."""
    try:
        check_output(path)
        refuse_reviewed(path, overwrite)
        refuse_foreign(path, overwrite)
    except OutputError as error:
        return str(error)
    return ""


def assert_says(said: str, wanted: str) -> None:
    assert bool(said) == bool(wanted), said
    assert "\n" not in said
    assert re.search(wanted, said), said


def assert_whole(path: Path, changes: int) -> None:
    """Check a GeoPackage with SQLite, and that it has no companion files."""
    assert journals(path) == []
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert len(read_changes(path)) == changes


@pytest.mark.parametrize("suffix", list(WRITERS))
def test_reviews_are_counted_in_every_format(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"changes{suffix}"
    assert reviewed(path) == 0
    assert reviewed(write_reviewed(path, "unset", "unset")) == 0
    assert reviewed(write_reviewed(path, "unset", "accept", "reject", "accept", "maybe")) == 4
    path.write_bytes(b"")
    assert reviewed(path) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", STATES)
def test_an_odd_file_is_told_for_what_it_is(name: str, tmp_path: Path) -> None:
    state, path = STATES[name], write_reviewed(tmp_path / "changes.gpkg", "accept", "unset")
    state.make(path)
    kept = path.read_bytes() if path.is_file() and not journals(path) else None
    assert_says(said_of(path), state.refused)
    assert_says(said_of(path, overwrite=True), state.overwritten)
    assert kept is None or path.read_bytes() == kept


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, state in STATES.items() if not state.overwritten])
def test_what_may_be_overwritten_becomes_a_whole_file(name: str, tmp_path: Path) -> None:
    path = write_reviewed(tmp_path / "changes.gpkg", "accept", "unset")
    STATES[name].make(path)
    link = path.is_symlink()
    write_reviewed(path, "unset", "unset", "unset")
    assert_whole(path, 3)
    assert path.is_symlink() == link
    if (twin := tmp_path / "twin.gpkg").exists():
        assert reviewed(twin) == 1


@pytest.mark.slow
@pytest.mark.parametrize("how", WAYS_TO_HOLD)
def test_a_file_that_is_open_elsewhere_stays(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geochange.files.sqlite_files.LOCK_WAIT_S", 0.05)
    path = write_reviewed(tmp_path / "changes.gpkg", "unset")
    with held_open(path, how):
        for overwrite in (False, True):
            assert_says(said_of(path, overwrite), "open in another program.*close it there")
        with pytest.raises(OutputError, match="open in another program"):
            write_reviewed(path, "unset", "unset")
    assert said_of(path) == ""
    assert_whole(write_reviewed(path, "unset", "unset"), 2)
    assert [each.name for each in tmp_path.iterdir()] == ["changes.gpkg"]


@pytest.mark.slow
@pytest.mark.parametrize("leave", [leave_hot_journal, leave_wal])
def test_a_journal_moved_to_its_file_brings_the_reviews_back(tmp_path: Path, leave) -> None:  # type: ignore[no-untyped-def]  # either
    path, moved = tmp_path / "changes.gpkg", tmp_path / "old.gpkg"
    leave(write_reviewed(path, "accept", "unset"))
    path.rename(moved)
    said = said_of(path)
    (name,) = (name for name in journals(path) if name in said)
    assert "move it to where that is now" in said
    (tmp_path / name).rename(tmp_path / name.replace(path.name, moved.name))
    assert_says(said_of(moved), "holds 1 reviewed polygons")
    assert said_of(path) == ""
    assert_whole(write_reviewed(path, "unset"), 1)


@pytest.mark.parametrize("suffix", OTHERS)
def test_other_formats_in_odd_states(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"changes{suffix}"
    write_reviewed(path, *["accept"] * 30)
    whole = path.read_bytes()
    for size in (1, 8, 0.1, 0.3, 0.5, 0.99):
        path.write_bytes(whole)
        cut(path, size)
        assert_says(said_of(path), "cannot be read .*restore it from a copy")
        assert said_of(path, overwrite=True) == ""
    path.write_text("my notes")
    assert_says(said_of(path), "cannot be read .*--overwrite")
    path.unlink()
    assert_says(said_of(write_foreign(path)), "holds data that no run wrote, which would be lost")
    write_reviewed(path, "unset")
    assert said_of(path) == ""
    assert reviewed(path) == 0


@pytest.mark.slow
def test_a_run_over_reviews_is_refused_before_any_work(tmp_path: Path) -> None:
    before = make_raster(tmp_path / "before.tif", noise((40, 50, 3)))
    after = make_raster(tmp_path / "after.tif", noise((40, 50, 3), seed=1))
    out = write_reviewed(tmp_path / "changes.gpkg", "accept", "unset")
    there = out.read_bytes()
    with pytest.raises(OutputError, match=r"holds 1 reviewed polygons; .*--overwrite"):
        check_run(before, after, out, RunOptions())
    assert out.read_bytes() == there
    check_run(before, after, out, RunOptions(overwrite=True))
    check_run(before, after, write_reviewed(out, "unset"), RunOptions())


def test_a_query_in_the_place_of_changes_is_somebody_elses(tmp_path: Path) -> None:
    """To count its rows may take for ever."""
    path = tmp_path / "changes.gpkg"
    with closing(sqlite3.connect(path)) as database, database:
        endless = "WITH RECURSIVE r(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM r) SELECT"
        columns = "x AS area_m2, x AS confidence_mean, x AS confidence_max, x AS status"
        database.execute(f"CREATE VIEW changes AS {endless} {columns} FROM r")
    with pytest.raises(OutputError, match="holds the view changes, which would be lost"):
        refuse_foreign(path, overwrite=False)
