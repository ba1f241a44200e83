"""SQLite files (GeoPackages): whether a file can be read or replaced now, and what prevents it.

SQLite keeps unfinished work in journals beside a file. A killed program leaves them there. The next
program that opens the file with write access applies them. Without write access, or while another
program holds a lock, an intact file cannot be opened. It must not be treated as empty.
"""

from __future__ import annotations

import errno
import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from enum import Enum
from pathlib import Path, PurePath
from typing import Final

JOURNALS: Final = ("-journal", "-wal", "-shm")
"""The suffixes of SQLite's companion files."""

LONGEST_PATH: Final = 504
"""The longest path in bytes that SQLite opens: 512, minus the suffix of a journal."""

LOCK_WAIT_S: Final = 1.0
"""How long to wait for a lock. Programs hold it for less time when they save."""

MAGIC: Final = b"SQLite format 3\0"


class Obstacle(Enum):
    """Why a database cannot be opened."""

    EMPTY = "is empty (0 bytes)"
    FOREIGN = "is not a GeoPackage, although its name says so"
    DAMAGED = "is damaged"
    IN_USE = "is open in another program, such as QGIS"
    LOCKED = "is locked by another program"
    FORBIDDEN = "may not be read or written with your rights"
    UNFINISHED = "has a journal of a killed program beside it, and its folder cannot be written"
    FAILING = "cannot be read from its disk"
    TOO_LONG = f"has a path of more than {LONGEST_PATH} bytes, which SQLite does not open"


TEMPORARY_OBSTACLES: Final = frozenset(
    {Obstacle.IN_USE, Obstacle.LOCKED, Obstacle.FORBIDDEN, Obstacle.UNFINISHED, Obstacle.FAILING}
)
"""Obstacles outside the file. Its contents may be intact, so it must not be replaced."""

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
"""The cure for a user who wants to read the file."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What prevents opening a database, and SQLite's message if there is one."""

    obstacle: Obstacle
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.obstacle.value} ({self.reason})" if self.reason else self.obstacle.value

    @property
    def is_passing(self) -> bool:
        """Whether the file itself may be intact; see TEMPORARY_OBSTACLES."""
        return self.obstacle in TEMPORARY_OBSTACLES


def obstacle_to(path: Path, alone: bool = False) -> Finding | None:
    """What prevents reading a SQLite file, or None.

    alone: also report if another program has the file open, as before replacing it.

    If the file is writable, SQLite applies the journals of a killed program, as for every program that
    opens the file.
    """
    real = Path(os.path.realpath(path))
    if len(os.fsencode(real)) > LONGEST_PATH:
        return Finding(Obstacle.TOO_LONG)
    try:
        return _obstacle_to(real, alone)
    except sqlite3.Error as error:
        return _explain_error(error, real, alone)
    except UnicodeDecodeError:  # SQLite's message quotes the damaged bytes of the schema
        return Finding(Obstacle.DAMAGED, "its list of tables is not valid UTF-8")
    except OSError as error:
        forbidden = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
        obstacle = Obstacle.FORBIDDEN if forbidden else Obstacle.FAILING
        return Finding(obstacle, error.strerror or str(error))


def journals_of(path: Path) -> list[Path]:
    """The existing companion files of a SQLite file."""
    real = Path(os.path.realpath(path))
    found = (real.with_name(f"{real.name}{suffix}") for suffix in JOURNALS)
    return [journal for journal in found if journal.exists()]


def _obstacle_to(real: Path, alone: bool) -> Finding | None:
    left = any(journal.stat().st_size for journal in journals_of(real))
    with real.open("rb") as file:
        start = file.read(len(MAGIC))
    if not left and start != MAGIC:
        # With a journal SQLite decides, because the journal may hold the first page.
        return Finding(Obstacle.FOREIGN if start else Obstacle.EMPTY)
    if start and alone and not _may_write(real):
        return Finding(Obstacle.FORBIDDEN, "it is write-protected")
    _open(real, alone)
    if real.stat().st_size == 0:
        return Finding(Obstacle.EMPTY)
    return None


def _may_write(real: Path) -> bool:
    return os.access(real, os.W_OK) and os.access(real.parent, os.W_OK)


def uri_of(path: PurePath, how: str) -> str:
    """The URI by which SQLite opens a file, whatever bytes are in its name.

    path: absolute, so that a drive of Windows becomes file:///C:/. how: parameters of SQLite.
    """
    return f"{path.as_uri()}?{how}"


def _open(real: Path, alone: bool) -> None:
    """Open the file, read its list of tables, and close it. Raises sqlite3.Error."""
    if not _may_write(real) and not journals_of(real):
        # There is no journal, and SQLite cannot create its companion files in this folder.
        how = "immutable=1"
    else:
        how = "mode=rw" if _may_write(real) else "mode=ro"
    connection = sqlite3.connect(
        uri_of(real, how), timeout=LOCK_WAIT_S, isolation_level=None, uri=True
    )
    with closing(connection) as database:
        if alone:
            database.execute("PRAGMA locking_mode = EXCLUSIVE")
            database.execute("BEGIN EXCLUSIVE")
        database.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if alone:
            database.execute("ROLLBACK")


def _explain_error(error: sqlite3.Error, real: Path, alone: bool) -> Finding:
    # The primary error code. SQLite stores details in the higher bits.
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
