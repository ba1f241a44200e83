"""Class files: CLIP's class names for every chip of a split at one date, in the authors' format.

A JSON list of objects, indented by four: `image_path` first, then every name of the vocabulary in
falling order of its probability, which is a string of four decimals. Training reads the first nine.
Source: ChangeCLIP (Dong et al. 2024), the files published with its code.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from geochange.errors import InputError
from geochange.files.atomic import atomic_path
from geochange.files.bounded_read import read_text

NAMES_PER_CHIP = 9
"""The number of names that are read per chip."""

PATH_KEY = "image_path"

Ranking = Sequence[tuple[str, float]]
"""Names with their probabilities, the most probable first."""


def read_classes(file: Path) -> Mapping[str, tuple[str, ...]]:
    """The nine best names of every picture, by its path, in the order of the file.

    Raises InputError, which names the file and the entry.
    """
    entries = _read(file)
    if not isinstance(entries, list) or not entries:
        raise InputError(f"{file}: not a list of images with their class names; {_CURE}")
    found: dict[str, tuple[str, ...]] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            path, names = _entry(entry)
        except ValueError as error:
            raise InputError(f"{file}: entry {number} {error}; {_CURE}") from error
        if path in found:
            raise InputError(f"{file}: entry {number} is of {path}, as is one before; keep one")
        found[path] = names
    return found


def write_classes(file: Path, entries: Iterable[tuple[str, Ranking]]) -> None:
    """Write the paths and rankings of pictures; the file appears whole or not at all.

    Raises OutputError.
    """
    plain = [{PATH_KEY: path, **{name: f"{p:.4f}" for name, p in names}} for path, names in entries]
    text = json.dumps(plain, indent=4, ensure_ascii=False)
    with atomic_path(file) as aside:
        # A path that is not valid UTF-8 becomes a JSON escape, which reads back the same.
        aside.write_bytes(text.encode("utf-8", "backslashreplace"))


_CURE = "remove the files of both dates, and `geochange data prompts` makes them again"

MOST_BYTES = 2**30
"""Larger files are not read as class files."""


def _read(file: Path) -> Any:
    try:
        text = read_text(file, MOST_BYTES, "a file of class names")
        return json.loads(text, object_pairs_hook=_object)
    except OSError as error:
        raise InputError(f"{file} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{file}: truncated or not valid JSON ({error}); {_CURE}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The first items of a JSON object, as many as are read; a duplicate key is an error."""
    made = dict(pairs)
    if len(made) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        raise ValueError(f"{counts.most_common(1)[0][0][:80]} occurs twice in one object")
    read = dict(pairs[: NAMES_PER_CHIP + 1])
    return read if PATH_KEY not in made else {PATH_KEY: made[PATH_KEY], **read}


def _entry(entry: Any) -> tuple[str, tuple[str, ...]]:
    """The path and the names of a picture. Raises ValueError, which says what is wrong."""
    if not isinstance(entry, dict):
        raise ValueError("is not an object")
    path = entry.get(PATH_KEY)
    if not isinstance(path, str) or not path:
        raise ValueError(f"has no {PATH_KEY}")
    names = tuple(name for name in entry if name != PATH_KEY)
    if len(names) < NAMES_PER_CHIP:
        raise ValueError(f"({path}) has {len(names)} class names, but {NAMES_PER_CHIP} are needed")
    return path, names[:NAMES_PER_CHIP]
