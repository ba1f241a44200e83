"""Where weights lie: paths alone, without torch, so that a missing file is refused at once."""

from __future__ import annotations

import os
from pathlib import Path

from geochange.errors import InputError

FOLDER = "GEOCHANGE_WEIGHTS"
"""The environment variable that names a folder of weights, looked into first."""

SUFFIXES = (".pt", ".pth", ".bin", ".safetensors")


def weights_folder() -> Path | None:
    """The folder GEOCHANGE_WEIGHTS names; None where it is not set."""
    named = os.environ.get(FOLDER)
    return Path(named).expanduser() if named else None


def list_weights() -> list[Path]:
    """The files of weights in the folder GEOCHANGE_WEIGHTS names, by name."""
    folder = weights_folder()
    if folder is None or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES)


def locate(file: str | os.PathLike[str]) -> Path:
    """A file of weights as given, or of that name in the folder. Raises InputError."""
    given = Path(file).expanduser()
    folder = weights_folder()
    for candidate in (given, *([folder / given] if folder else [])):
        if candidate.is_file():
            return candidate
    looked = f", nor in {folder}" if folder else f"; {FOLDER} may name a folder to look in"
    raise InputError(f"no weights at {given}{looked}")
