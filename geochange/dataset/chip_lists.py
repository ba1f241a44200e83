"""Lists of chips: a text file with one chip per line, as the paths before, after and label.

Two spaces separate the paths, as in the lists published with ChangeCLIP (Dong et al. 2024). A path
may therefore contain single spaces.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from geochange.errors import InputError, OutputError
from geochange.files.atomic import atomic_path
from geochange.raster.pictures.image import SUFFIXES
from geochange.training.data.chip_source import Record

SEPARATOR = "  "
"""The separator of the paths."""

_LARGEST_BYTES = 1 << 30
"""Larger files are not read as lists."""


def read_list(file: Path, root: Path) -> tuple[Record, ...]:
    """The chips that a list names, in its order. Relative paths start at `root`.

    The files are not opened. Raises InputError, which names the line.
    """
    chips = tuple(Record(*(root / path for path in paths)) for paths in _lines(file))
    if not chips:
        raise InputError(f"{file}: lists no chip; write it again (geochange data index {root})")
    return chips


def write_lists(lists: Mapping[Path, Sequence[Record]], root: Path) -> None:
    """Write all lists or none. Paths below `root` are relative to it, others are absolute.

    Raises InputError for a path that cannot be written to a list. Raises OutputError if a file cannot
    be written, or exists and is not a list of chips.
    """
    texts = {file: "".join(_line(chip, root) for chip in chips) for file, chips in lists.items()}
    for file in lists:
        if file.exists() and not is_list(file):
            raise OutputError(
                f"{file}: exists and is not a list of chips; move it, or choose another name"
            )
    with ExitStack() as files:
        for file, text in texts.items():
            files.enter_context(atomic_path(file)).write_text(text, "utf-8", newline="\n")


def is_list(file: Path) -> bool:
    """Whether a file is a list of chips. Only such a file may be overwritten by a list."""
    try:
        return all(Path(path).suffix.lower() in SUFFIXES for line in _lines(file) for path in line)
    except InputError:
        return False


def listed_path(path: Path, root: Path) -> str:
    """A path as a list writes it: relative to `root` if it is below `root`, else absolute."""
    full, start = path.absolute(), root.absolute()
    return (full.relative_to(start) if full.is_relative_to(start) else full).as_posix()


def _line(chip: Record, root: Path) -> str:
    paths = [listed_path(path, root) for path in (chip.before, chip.after, chip.label)]
    line = SEPARATOR.join(paths)
    if list(_split([line])) != [tuple(paths)] or not line.isprintable():
        raise InputError(f"{chip.before}: a list cannot hold this name; take spaces out of it")
    return f"{line}\n"


def _lines(file: Path) -> Iterator[tuple[str, ...]]:
    try:
        if file.stat().st_size > _LARGEST_BYTES:
            raise InputError(f"{file}: too large for a list of chips; is it another file?")
        text = file.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"{file}: cannot be read ({reason}); name a list of chips") from error
    for number, paths in enumerate(_split(text.split("\n")), 1):
        if paths is None or "\0" in "".join(paths):
            raise InputError(
                f"{file}, line {number}: does not hold three paths with two spaces between; "
                "write before, after and label on it"
            )
        if paths:
            yield paths


def _split(lines: Iterable[str]) -> Iterator[tuple[str, ...] | None]:
    """The paths of each line: three paths, none for an empty line, None for another count."""
    for line in lines:
        paths = tuple(re.split(r" {2,}", line.strip())) if line.strip() else ()
        yield paths if len(paths) in (0, 3) else None
