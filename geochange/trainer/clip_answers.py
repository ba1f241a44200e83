"""Answers of CLIP for the chips of a split, stored in a file until all are complete."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from geochange import __version__
from geochange.errors import OutputError
from geochange.files.output_paths import check_folder
from geochange.models.class_ranking import Ranking
from geochange.models.prompts import Names
from geochange.training.data.chip_source import ChipSource
from geochange.training.data.class_file import NAMES_PER_CHIP, PATH_KEY

DateEntries = tuple[dict[str, str], dict[str, str]]
"""The entries of a chip before and after, as in class files."""


def check_writable(part: Path) -> None:
    """Refuse a file that cannot be written, before CLIP is asked. Raises OutputError."""
    try:
        check_folder(part)
    except OutputError as error:
        raise OutputError(
            f"cannot write class names in {part.parent}: make it writable, or copy the data to "
            "where you may write"
        ) from error


def append_answers(part: Path, seen: Sequence[DateEntries]) -> None:
    """Append to `part`. Raises OutputError."""
    try:
        with part.open("ab") as stream:
            stream.write(b"".join(map(_line, seen)))
    except OSError as error:
        raise OutputError(
            f"{part}: class names cannot be written ({error.strerror}); free some space there"
        ) from error


def resume_answers(part: Path, source: ChipSource) -> list[DateEntries]:
    """The lines that an earlier run wrote, up to the first damaged one. The rest is cut off.

    Raises OutputError.
    """
    head = _line({"geochange": __version__, "pixels": "RGB"})
    try:
        with part.open("r+b" if part.exists() else "w+b") as stream:
            if stream.readline() == head:
                return _read_intact_lines(stream, source)
            stream.seek(0)
            stream.truncate()
            stream.write(head)
            return []
    except OSError as error:
        raise OutputError(f"{part} cannot be written ({error.strerror}); remove it") from error


def _read_intact_lines(stream: BinaryIO, source: ChipSource) -> list[DateEntries]:
    seen: list[DateEntries] = []
    end = stream.tell()
    while len(seen) < len(source) and (line := stream.readline()).endswith(b"\n"):
        both = _parse(line)
        if both is None or (both[0][PATH_KEY], both[1][PATH_KEY]) != source.pictures(len(seen)):
            break
        seen.append(both)
        end = stream.tell()
    stream.truncate(end)
    return seen


def _parse(line: bytes) -> DateEntries | None:
    """A line of `part`; None if it is incomplete or damaged."""
    sum_, _, text = line.rstrip(b"\n").partition(b" ")
    if sum_ != b"%08x" % zlib.crc32(text):
        return None
    try:
        one, two = json.loads(text)
        for entry in (one, two):
            ranking_of(entry)
            entry[PATH_KEY]
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    return one, two


def entry_of(path: str, ranking: Ranking) -> dict[str, str]:
    """The entry of a picture in a class file."""
    return {PATH_KEY: path, **{name: f"{p:.4f}" for name, p in ranking}}


def ranking_of(entry: dict[str, str]) -> list[tuple[str, float]]:
    """The names of an entry and their probabilities. Raises ValueError if one is not a number."""
    return [(name, float(p)) for name, p in entry.items() if name != PATH_KEY]


def best_of(entry: dict[str, str]) -> Names:
    """The nine best names of an entry."""
    return tuple(name for name in entry if name != PATH_KEY)[:NAMES_PER_CHIP]


def _line(value: Any) -> bytes:
    """A line of the file of answers, with the CRC-32 of its text in front."""
    text = json.dumps(value).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)
