"""SQLite files (GeoPackages): whether one can be read or replaced now, and what prevents it.

SQLite keeps unfinished work in journals beside a file. A program that was killed leaves them there.
The next program that opens the file with the right to write applies them. Without that right, or
while another program holds a lock, a whole file cannot be opened and must not be taken for empty.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final
from urllib.parse import quote

JOURNALS: Final = ("-journal", "-wal", "-shm")
"""What SQLite appends to a file's name for the files that it keeps beside it."""

LONGEST_PATH: Final = 504
"""Bytes of a path that SQLite opens: 512, less what it appends for a journal."""

LOCK_WAIT_S: Final = 1.0
"""A program that saves holds its lock for less."""

_MAGIC: Final = b"SQLite format 3\0"


class Obstacle(Enum):
    """Why a database cannot be opened."""

    EMPTY = "is empty (0 bytes)"
    FOREIGN = "is no GeoPackage, whatever its name says"
    DAMAGED = "is damaged"
    IN_USE = "is open in another program, such as QGIS"
    LOCKED = "is locked by another program"
    FORBIDDEN = "may not be read or written with your rights"
    UNFINISHED = "has a journal of a killed program beside it, and its folder cannot be written"
    FAILING = "cannot be read from its disk"
    TOO_LONG = f"has a path of more than {LONGEST_PATH} bytes, which SQLite does not open"


PASSING: Final = frozenset(
    {Obstacle.IN_USE, Obstacle.LOCKED, Obstacle.FORBIDDEN, Obstacle.UNFINISHED, Obstacle.FAILING}
)
"""Obstacles beside the file: what is in it may be whole, so nothing may replace it."""

CURES: Final = {
    Obstacle.EMPTY: "export it again",
    Obstacle.FOREIGN: "export it as a GeoPackage",
    Obstacle.DAMAGED: "restore it from a copy, or write it again",
    Obstacle.IN_USE: "close it there",
    Obstacle.LOCKED: "close it there, or wait until it is saved",
    Obstacle.FORBIDDEN: "change the access rights of the file",
    Obstacle.UNFINISHED: "copy the file and its journal into a folder that you may write",
    Obstacle.FAILING: "check the disk",
    Obstacle.TOO_LONG: "move it into a folder with a shorter path",
}
"""What a user can do who wants to read the file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What prevents a database from being opened, and SQLite's own words where it has any."""

    obstacle: Obstacle
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.obstacle.value} ({self.reason})" if self.reason else self.obstacle.value

    @property
    def is_passing(self) -> bool:
        """Whether the file itself may be whole; see PASSING."""
        return self.obstacle in PASSING


def obstacle_to(path: Path, alone: bool = False) -> Finding | None:
    """What prevents a SQLite file from being read, or None.

    alone: nobody else may have it open either, as before it is replaced.

    Journals that a killed program left are applied on the way, if the file can be written: SQLite
    does so itself for whoever opens the file.
    """
    real = Path(os.path.realpath(path))
    if len(os.fsencode(real)) > LONGEST_PATH:
        return Finding(Obstacle.TOO_LONG)
    try:
        return _obstacle_to(real, alone)
    except sqlite3.Error as error:
        return _explained(error, real, alone)
    except OSError as error:
        forbidden = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        obstacle = Obstacle.FORBIDDEN if forbidden else Obstacle.FAILING
        return Finding(obstacle, error.strerror or str(error))


def journals_of(path: Path) -> list[Path]:
    """The files that SQLite keeps beside a file, those that are there."""
    real = Path(os.path.realpath(path))
    found = (real.with_name(f"{real.name}{suffix}") for suffix in JOURNALS)
    return [journal for journal in found if journal.exists()]


def _obstacle_to(real: Path, alone: bool) -> Finding | None:
    left = any(journal.stat().st_size for journal in journals_of(real))
    with real.open("rb") as file:
        start = file.read(len(_MAGIC))
    if not left and start != _MAGIC:
        # A journal would hold the first page, too; then SQLite decides.
        return Finding(Obstacle.FOREIGN if start else Obstacle.EMPTY)
    if start and alone and not _may_write(real):
        return Finding(Obstacle.FORBIDDEN, "it is write-protected")
    _open(real, alone)
    if real.stat().st_size == 0:
        return Finding(Obstacle.EMPTY)
    return None


def _may_write(real: Path) -> bool:
    return os.access(real, os.W_OK) and os.access(real.parent, os.W_OK)


def _open(real: Path, alone: bool) -> None:
    """Open it, read its list of tables, and let go. Raises sqlite3.Error."""
    name = f"file:{quote(os.fsencode(real))}"
    if not _may_write(real) and not journals_of(real):
        # Nothing can be pending, and SQLite could not make the files by which it shares a file.
        name += "?immutable=1"
    else:
        name += "?mode=rw" if _may_write(real) else "?mode=ro"
    connection = sqlite3.connect(name, timeout=LOCK_WAIT_S, isolation_level=None, uri=True)
    with closing(connection) as database:
        if alone:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if alone:
            database.execute("ROLLBACK")


def _explained(error: sqlite3.Error, real: Path, alone: bool) -> Finding:
    # The primary code; SQLite keeps details in the bits above.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    pending = bool(journals_of(real)) and not _may_write(real)
    obstacles = {
        sqlite3.SQLITE_BUSY: Obstacle.IN_USE if alone else Obstacle.LOCKED,
        sqlite3.SQLITE_LOCKED: Obstacle.LOCKED,
        sqlite3.SQLITE_NOTADB: Obstacle.FOREIGN,
        sqlite3.SQLITE_CANTOPEN: Obstacle.UNFINISHED if pending else Obstacle.FORBIDDEN,
        sqlite3.SQLITE_READONLY: Obstacle.UNFINISHED if pending else Obstacle.FORBIDDEN,
        sqlite3.SQLITE_PERM: Obstacle.FORBIDDEN,
        sqlite3.SQLITE_AUTH: Obstacle.FORBIDDEN,
        sqlite3.SQLITE_IOERR: Obstacle.FAILING,
        sqlite3.SQLITE_FULL: Obstacle.FAILING,
        sqlite3.SQLITE_NOMEM: Obstacle.FAILING,
        sqlite3.SQLITE_PROTOCOL: Obstacle.FAILING,
    }
    obstacle = obstacles.get(code, Obstacle.DAMAGED)
    told = obstacle in (Obstacle.IN_USE, Obstacle.LOCKED, Obstacle.FOREIGN, Obstacle.UNFINISHED)
    return Finding(obstacle, "" if told else str(error))
