"""Places to write to, looked at before any work is done."""

from __future__ import annotations

import tempfile
from pathlib import Path

from geochange.errors import OutputError


def check_folder(path: Path) -> None:
    """Refuse a file whose folder is missing or cannot be written, by writing there.

    Raises OutputError.
    """
    if not path.parent.is_dir():
        raise OutputError(f"no folder {path.parent}: create it, or name another place")
    try:
        with tempfile.NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}."):
            pass
    except OSError as error:
        raise OutputError(
            f"cannot write in {path.parent} ({error.strerror}): name another place"
        ) from error
