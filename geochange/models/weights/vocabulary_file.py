"""Vocabularies: files of class names, one per line."""

from __future__ import annotations

import os
from pathlib import Path

from geochange.errors import InputError
from geochange.files.bounded_read import read_text
from geochange.models.prompts import Names, parse_vocabulary

MOST_BYTES = 2**22
"""The largest size of a file of class names."""


def read_vocabulary(file: str | os.PathLike[str]) -> Names:
    """Class names, one per line. Raises InputError."""
    try:
        return parse_vocabulary(read_text(Path(file), MOST_BYTES, "a vocabulary"))
    except InputError as error:
        told = str(error)
        raise InputError(told if told.startswith(str(file)) else f"{file}: {told}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} cannot be read as a vocabulary: {error}") from error
