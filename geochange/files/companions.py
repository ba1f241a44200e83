"""Companions: files that programs read together with another one, by its name.

Those of an earlier file would be read with the one that takes its place: SQLite rolls it back to
an older state, GDAL shows other overviews and hides pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from geochange.errors import OutputError
from geochange.files.database import JOURNALS
from geochange.files.output_paths import target_of

_SUFFIXES: Final = {".gpkg": JOURNALS, ".tif": (".aux.xml", ".ovr", ".msk")}
"""By a file's suffix: what is appended to its name."""

_WORTH_KEEPING: Final = ("-journal", "-wal", ".msk")
"""What these hold is nowhere else; the others are made again from their file."""


def companions_of(path: Path) -> list[Path]:
    """The files that are read together with one of this name, those that are there."""
    target = target_of(path)
    suffixes = _SUFFIXES.get(target.suffix.lower(), ())
    beside = (target.with_name(f"{target.name}{suffix}") for suffix in suffixes)
    return [each for each in beside if each.exists()]


def refuse_orphans(path: Path, overwrite: bool) -> None:
    """Refuse to write a file where the companions of one that is gone would be read with it.

    Raises OutputError.
    """
    if overwrite or path.exists():
        return
    for orphan in companions_of(path):
        if orphan.name.endswith(_WORTH_KEEPING) and orphan.stat().st_size:
            raise OutputError(
                f"{orphan}: belongs to an earlier {path.name}, which is gone; move it to where that "
                "is now, give another --out, or add --overwrite to delete it"
            )
