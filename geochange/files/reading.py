"""Texts that are read whole: no more of them than such a file can be long."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geochange.errors import InputError


def read_bytes(path: Path, most: int, what: str) -> bytes:
    """The bytes of a file.

    most: how many there may be. what: such as "a file of options". Raises InputError for a larger
    file, and OSError.
    """
    with path.open("rb") as stream:
        found = stream.read(most + 1)
    if len(found) > most:
        raise InputError(f"{path}: too large for {what}; is it another file?")
    return found


def read_text(path: Path, most: int, what: str) -> str:
    """The text of a file in UTF-8, with or without a mark of it; see `read_bytes`.

    Raises UnicodeDecodeError, too.
    """
    return read_bytes(path, most, what).decode("utf-8-sig")


def parse_json(text: str | bytes) -> Any:
    """What a text of JSON says. Raises ValueError, for one that is nested without end too."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
