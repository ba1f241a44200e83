"""Reads whole text files, up to a size limit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geochange.errors import InputError


def read_bytes(path: Path, most: int, what: str) -> bytes:
    """The bytes of a file.

    most: the size limit. what: the kind of file, such as "a file of options". Raises InputError for a
    larger file, and OSError.
    """
    with path.open("rb") as stream:
        found = stream.read(most + 1)
    if len(found) > most:
        raise InputError(f"{path}: too large for {what}; is it another file?")
    return found


def read_text(path: Path, most: int, what: str) -> str:
    """The text of a UTF-8 file, with or without a byte order mark; see `read_bytes`.

    Raises also UnicodeDecodeError.
    """
    return read_bytes(path, most, what).decode("utf-8-sig")


def parse_json(text: str | bytes) -> Any:
    """The values of a JSON text. Raises ValueError, also for too deep nesting."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
