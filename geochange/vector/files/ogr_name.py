"""Paths for pyogrio, which gives some characters of a path a special meaning."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from geochange.errors import InputError

MULTI_FILE_SUFFIXES = (".shp", ".tab", ".mif", ".gml")
"""Suffixes of formats with several files of the same stem."""


@contextmanager
def ogr_name(path: Path) -> Iterator[Path]:
    """A path under which pyogrio finds `path`, or can write it.

    pyogrio reads `a!b` as a file in an archive, and drops the text after `;`. For such a path, this is a
    symbolic link in a temporary folder. Raises InputError if links cannot be created.
    """
    if _is_plain(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="geochange-") as folder:
        name = Path(folder) / f"file{path.suffix}"
        try:
            if _is_plain(Path("/") / path.name):
                # The folder is linked: a shapefile has several files, and an output does not exist yet.
                link = Path(folder) / "folder"
                link.symlink_to(path.parent.absolute(), target_is_directory=True)
                name = link / path.name
            else:
                _link_all(path, name)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be opened under this name ({error.strerror}); leave ; and ! out of it"
            ) from error
        yield name


def _is_plain(path: Path) -> bool:
    from pyogrio.util import vsi_path  # imports geopandas

    return bool(vsi_path(str(path)) == str(path))


def _link_all(path: Path, name: Path) -> None:
    """Link a file, and for some formats the other files with its stem."""
    name.symlink_to(path.absolute())
    if path.suffix.lower() in MULTI_FILE_SUFFIXES:
        for other in path.parent.iterdir():
            if other.stem == path.stem and other != path:
                name.with_suffix(other.suffix).symlink_to(other.absolute())
