"""Names that pyogrio takes as they are: it reads some characters of a path as those of an address."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyogrio.util import vsi_path

from geochange.errors import InputError

SEVERAL = (".shp", ".tab", ".mif", ".gml")
"""Suffixes of formats that are several files of one stem."""


@contextmanager
def ogr_name(path: Path) -> Iterator[Path]:
    """Lend a name under which pyogrio finds a file, or its place where it is yet to be written.

    pyogrio takes `a!b` for a file in an archive and drops what follows `;`. Such a path is lent as
    a link in a temporary folder. Raises InputError where links cannot be made.
    """
    if _is_plain(path):
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="geochange-") as folder:
        name = Path(folder) / f"file{path.suffix}"
        try:
            if _is_plain(Path("/") / path.name):
                # All of the folder: a shapefile is several files, a file yet to come is none.
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
    return bool(vsi_path(str(path)) == str(path))


def _link_all(path: Path, name: Path) -> None:
    """Link a file, and those that some formats keep beside it under the same stem."""
    name.symlink_to(path.absolute())
    if path.suffix.lower() in SEVERAL:
        for other in path.parent.iterdir():
            if other.stem == path.stem and other != path:
                name.with_suffix(other.suffix).symlink_to(other.absolute())
