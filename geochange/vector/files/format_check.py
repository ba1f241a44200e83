"""Refuses vector files that GDAL would take for another format than their names say.

GDAL chooses its driver by the first bytes of a file. Some of these formats are texts that name other
files, servers or commands. A database under another name would not be searched for endless queries.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from geochange.errors import InputError
from geochange.files.archive_members import copy_of, first_bytes
from geochange.files.archives import Member
from geochange.files.sqlite_files import MAGIC
from geochange.vector.files.formats import DRIVERS, member_of
from geochange.vector.files.sqlite_views import refuse_endless_views

START_BYTES = 2**16
"""The number of bytes that are searched. GDAL itself looks at fewer."""

_LEADS_ELSEWHERE = re.compile(rb"<OGR\w+DataSource|gdal_streamed_alg")
"""Marks of a virtual source or a pipeline of GDAL: OGR_VRT, WFS, GDALG."""

_USUAL = frozenset({*DRIVERS.values(), "KML", "SQLite"})
"""Drivers of GDAL that read the formats of DRIVERS."""


def refuse_other_format(path: Path) -> None:
    """Refuse a file, also in an archive, that is not what its name says. Raises InputError."""
    member = member_of(path)
    name = (path.name if member is None else member.name).lower()
    if name.endswith(".gdalg.json"):
        raise InputError(f"{path}: {_leads_elsewhere('a pipeline of GDAL')}")
    if name.endswith(".gdb") or ".gdb/" in name:
        return  # a folder, whose tables have names of their own
    start = _start(path, member)
    if _LEADS_ELSEWHERE.search(start):
        raise InputError(f"{path}: {_leads_elsewhere('a virtual source')}")
    if start.startswith(MAGIC):
        _check_database(path, member, name)


def _check_database(path: Path, member: Member | None, name: str) -> None:
    """Refuse a database under another name, and one with endless queries. Raises InputError."""
    if not name.endswith(".gpkg"):
        raise InputError(f"{path}: is a database, not what its name says; rename it to .gpkg")
    if member is None:
        refuse_endless_views(path, path)
        return
    with copy_of(member) as file:
        refuse_endless_views(file, path)


def refuse_other_driver(path: Path, about: dict[str, Any]) -> None:
    """Refuse a file that GDAL opened with another driver. Raises InputError.

    about: the answer of `pyogrio.read_info`.
    """
    driver = about.get("driver")
    if driver is not None and driver not in _USUAL:
        raise InputError(f"{path}: {_leads_elsewhere(str(driver))}")


def _leads_elsewhere(what: str) -> str:
    return (
        f"is {what} under another name, which may name other files; export its polygons as a "
        "GeoPackage (QGIS: Export > Save Features As)"
    )


def _start(path: Path, member: Member | None) -> bytes:
    if member is None:
        with path.open("rb") as file:
            return file.read(START_BYTES)
    return first_bytes(member, START_BYTES)
