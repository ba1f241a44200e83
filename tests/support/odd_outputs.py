"""Unusual states of an output: reviewed, locked, truncated, with a journal, or a foreign file."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pyogrio
import shapely
from makers import UTM

from geochange.vector.files.writers import table_of, write_changes

HOLDER = """
import sqlite3, sys
database = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2:]:
    database.execute(statement).fetchone()
print("held", flush=True)
sys.stdin.read()
"""

FILL = [
    "PRAGMA cache_size = 1",  # so that pages are written before the commit
    "BEGIN IMMEDIATE",
    "CREATE TABLE filler (x)",
    "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300) "
    "INSERT INTO filler SELECT zeroblob(4000) FROM n",
]
"""A change that is partly written and never committed."""

WAL = "PRAGMA journal_mode = WAL"

NOTE = "UPDATE geochange_run SET value = 'seen'"

WAYS_TO_HOLD = {
    "open in QGIS": [WAL, NOTE],
    "only looked at in QGIS": [WAL, "SELECT count(*) FROM changes"],
    "being read": ["BEGIN", "SELECT * FROM changes"],
    "being written": ["BEGIN IMMEDIATE", NOTE],
    "locked": ["BEGIN EXCLUSIVE"],
}
"""What another program does with an open GeoPackage, by name."""


def write_reviewed(path: Path, *statuses: str) -> Path:
    """A file of changes, one per status."""
    count = len(statuses)
    figures = ("area_m2", "perimeter_m", "confidence_mean", "confidence_max", "touches_edge")
    attributes = {
        **dict.fromkeys(figures, [1.0] * count),
        "id": range(1, count + 1),
        "status": statuses,
    }
    boxes = [shapely.box(5e5 + i, 5e6, 5e5 + i + 0.5, 5e6 + 1) for i in range(count)]
    write_changes(table_of(attributes, boxes, UTM), path, {"geochange": "0"})
    return path


def write_foreign(path: Path, layer: str = "parcels") -> Path:
    """Polygons of another program. An existing file gets another layer."""
    parcels = gpd.GeoDataFrame({"owner": ["A"]}, geometry=[shapely.box(0, 0, 1, 1)], crs=32632)
    if path.suffix == ".parquet":
        parcels.to_parquet(path)
    else:
        pyogrio.write_dataframe(parcels, path, layer=layer, append=path.exists())
    return path


@contextmanager
def held_open(path: Path, how: str) -> Iterator[None]:
    """Another program has a GeoPackage open, in a way of WAYS_TO_HOLD."""
    with _holding(path, WAYS_TO_HOLD[how]) as process:
        yield
        process.communicate()


def leave_hot_journal(path: Path) -> None:
    """A program was killed during a change, so the file is incomplete without its journal."""
    _killed(path, FILL)


def leave_wal(path: Path) -> None:
    """A program was killed after writing changes to the log, but not to the file."""
    _killed(path, [WAL, NOTE])


def _killed(path: Path, statements: list[str]) -> None:
    with _holding(path, statements) as process:
        process.kill()
        process.communicate()


@contextmanager
def _holding(path: Path, statements: list[str]) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-S", "-c", HOLDER, str(path), *statements]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process


def cut(path: Path, size: float) -> None:
    """Keep the first bytes of a file; below 1, a share of its bytes."""
    whole = path.read_bytes()
    path.write_bytes(whole[: int(size * len(whole)) if size < 1 else int(size)])


def journals(path: Path) -> list[str]:
    """The companion files of SQLite."""
    return sorted(each.name for each in path.parent.glob(f"{path.name}-*"))


def table_in(path: Path) -> None:
    """A SQLite file that is not a GeoPackage."""
    path.unlink(missing_ok=True)
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE letters (text)")


def _own_field(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE changes ADD COLUMN note TEXT")


def _drawn(path: Path) -> None:
    """A polygon that a person drew, without measures or status."""
    geometry = [shapely.box(5e5, 5e6, 5e5 + 1, 5e6 + 1)]
    drawn = gpd.GeoDataFrame({"id": [9]}, geometry=geometry, crs=UTM)
    pyogrio.write_dataframe(drawn, path, layer="changes", append=True)


@dataclass(frozen=True)
class State:
    """A change to a GeoPackage with a review, and the expected errors.

    refused: the error of a run. overwritten: the error of a run with --overwrite; "" if it succeeds.
    """

    make: Callable[[Path], object]
    refused: str
    overwritten: str = ""


def _orphan(suffix: str) -> Callable[[Path], object]:
    def leave(path: Path) -> None:
        (leave_hot_journal if suffix == "-journal" else leave_wal)(path)
        path.unlink()

    return leave


def _beside(path: Path, target: Path) -> None:
    """Move a file and put a link in its old place."""
    os.replace(path, target)
    path.symlink_to(target)


STATES = {
    "reviewed": State(lambda path: None, "holds 1 reviewed polygons"),
    "drawn by hand": State(
        lambda path: (write_reviewed(path, "unset"), _drawn(path)), "holds 1 reviewed polygons"
    ),
    "a left journal": State(leave_hot_journal, "holds 1 reviewed polygons"),
    "a left log": State(leave_wal, "holds 1 reviewed polygons"),
    "an empty file": State(lambda path: path.write_bytes(b""), ""),
    "a header alone": State(lambda path: cut(path, 100), "is damaged .*restore it from a copy"),
    "half a file": State(lambda path: cut(path, 0.5), "is damaged .*restore it from a copy"),
    "text": State(lambda path: path.write_text("my notes"), "another format than GeoPackage"),
    "a database of letters": State(table_in, "holds letters"),
    "somebody's parcels": State(lambda path: (path.unlink(), write_foreign(path)), "holds parcels"),
    "a layer of one's own": State(
        lambda path: (write_reviewed(path, "unset"), write_foreign(path, "notes")), "holds notes"
    ),
    "a field of one's own": State(
        lambda path: (write_reviewed(path, "unset"), _own_field(path)), "holds the field note"
    ),
    "a journal without its file": State(_orphan("-journal"), "-journal: belongs to an earlier"),
    "a log without its file": State(_orphan("-wal"), "-wal: belongs to an earlier"),
    "a link to reviews": State(
        lambda path: _beside(path, path.with_name("elsewhere.gpkg")), "holds 1 reviewed polygons"
    ),
    "a hard link to reviews": State(
        lambda path: os.link(path, path.with_name("twin.gpkg")), "holds 1 reviewed polygons"
    ),
    "a link to nothing": State(
        lambda path: (path.unlink(), path.symlink_to(path.with_name("new.gpkg"))), ""
    ),
    "a link into no folder": State(
        lambda path: (path.unlink(), path.symlink_to(path.parent / "none" / "new.gpkg")),
        "is a link to .*whose folder is missing; create it, or remove the link",
        "whose folder is missing",
    ),
    "a link to itself": State(
        lambda path: (path.unlink(), path.symlink_to(path)),
        "is a link that leads to itself; remove it",
        "leads to itself",
    ),
    "a folder": State(lambda path: (path.unlink(), path.mkdir()), "is a folder", "is a folder"),
    "a pipe": State(
        lambda path: (path.unlink(), os.mkfifo(path)), "is a device or a pipe", "or a pipe"
    ),
}
"""GeoPackages of changes in unusual states, by name."""
