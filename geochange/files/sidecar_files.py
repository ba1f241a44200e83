"""Sidecar files: .aux.xml, .ovr, .msk, journals. Programs read them with the file beside them.

Old companions must not stay beside a new file. SQLite would restore an older state from them, and
GDAL would show old overviews or hide pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from geochange.errors import OutputError
from geochange.files.output_paths import target_of
from geochange.files.sqlite_files import JOURNALS

_SUFFIXES: Final = {".gpkg": JOURNALS, ".tif": (".aux.xml", ".ovr", ".msk")}
"""The suffixes that companions append to a file name, by the suffix of the file."""

_UNIQUE_SUFFIXES: Final = ("-journal", "-wal", ".msk")
"""Companions with their own information. The others can be made again from the file."""


def sidecar_files_of(path: Path) -> list[Path]:
    """The existing companions of a file."""
    target = target_of(path)
    suffixes = _SUFFIXES.get(target.suffix.lower(), ())
    beside = (target.with_name(f"{target.name}{suffix}") for suffix in suffixes)
    return [each for each in beside if each.exists()]


def refuse_orphaned_sidecars(path: Path, overwrite: bool) -> None:
    """Refuse to write a file if companions of a deleted file would be read with it.

    Raises OutputError.
    """
    if overwrite or path.exists():
        return
    for orphan in sidecar_files_of(path):
        if orphan.name.endswith(_UNIQUE_SUFFIXES) and orphan.stat().st_size:
            raise OutputError(
                f"{orphan}: belongs to an earlier {path.name}, which is gone; move it to where that "
                "is now, give another --out, or add --overwrite to delete it"
            )
