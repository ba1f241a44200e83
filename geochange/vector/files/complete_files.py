"""Checks that vector files can be read completely now: they are not locked and not truncated.

For some truncated files, GDAL's drivers return fewer rows, or rows without geometry, and no error.
For a locked GeoPackage they report an unknown format.
"""

from __future__ import annotations

import os
from pathlib import Path

from geochange.errors import InputError
from geochange.files.archives import file_on_disk
from geochange.files.file_names import refuse_invalid_name
from geochange.files.sqlite_files import CURES, Obstacle, obstacle_to
from geochange.vector.files.format_check import refuse_other_format

_SHP_LENGTH = slice(24, 28)
"""The position of the file length in a .shp, in words of 2 bytes."""


def require_readable(path: Path) -> None:
    """Refuse a file that is missing, not readable, locked or truncated. Raises InputError."""
    refuse_invalid_name(path, InputError)
    file = file_on_disk(path)
    if not file.exists():
        raise InputError(f"{path}: {_missing_file_text(file)}")
    if file.is_dir() and path.suffix.lower() != ".gdb":
        raise InputError(f"{path}: is a folder; name a file in it")
    if file.stat().st_size == 0 and path.suffix.lower() != ".gpkg":
        raise InputError(f"{path}: the file is empty; export it again")
    if not os.access(file, os.R_OK):
        raise InputError(f"{path}: no permission to read it; change its access rights (chmod u+r)")
    if file == path:
        _need_unlocked(path)
    refuse_other_format(path)


def _need_unlocked(path: Path) -> None:
    if path.suffix.lower() == ".gpkg":
        found = obstacle_to(path)
        # GDAL recognises a format by the contents, so another format under this name is readable.
        if found is not None and found.obstacle is not Obstacle.FOREIGN:
            raise InputError(f"{path}: {found}; {CURES[found.obstacle]}, and try again")
    if path.suffix.lower() == ".shp":
        _need_whole_shapefile(path)


def _missing_file_text(path: Path) -> str:
    if path.is_symlink():
        return f"is a link to {os.path.realpath(path)}, which is missing; check where it leads"
    return "no such file; check the path"


def _need_whole_shapefile(path: Path) -> None:
    with path.open("rb") as file:
        said = 2 * int.from_bytes(file.read(_SHP_LENGTH.stop)[_SHP_LENGTH], "big")
    if path.stat().st_size < said:
        raise InputError(
            f"{path}: is truncated and lacks some of its polygons; fetch or export it again"
        )


def check_last_feature(path: str, layer: str, features: int) -> None:
    """Read the last feature of a FlatGeobuf, because its header may count missing features.

    path: from `readable_name`. Raises the exceptions of pyogrio if the feature is missing.
    """
    import pyogrio

    if path.lower().endswith(".fgb") and features:
        pyogrio.raw.read(path, layer, columns=[], fids=[features - 1])
