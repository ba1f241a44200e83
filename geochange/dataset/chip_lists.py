"""Lists of chips: a text file with one chip per line, as the paths before, after and label.

Two spaces separate the paths, as in the lists published with ChangeCLIP (Dong et al. 2024). A path
may therefore contain single spaces. Tabs separate them, too, and so do single spaces where the line is
three names of pictures.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from geochange.dataset.chip_record import Record
from geochange.errors import InputError, OutputError
from geochange.files.archives import split
from geochange.files.atomic import atomic_path
from geochange.files.bounded_read import read_text
from geochange.files.file_tree import read_file
from geochange.raster.pictures.image import SUFFIXES

SEPARATOR = "  "
"""The separator of the paths."""

_LARGEST_BYTES = 1 << 30
"""Larger files are not read as lists."""


def read_list(file: Path, root: Path) -> tuple[Record, ...]:
    """The chips that a list names, in its order. Relative paths start at `root`.

    The files are not opened. Raises InputError, which names the line.
    """
    is_archive = split(str(root)) is not None
    chips = []
    for paths in _lines(file):
        before, after, label = (_path(file, root, path, is_archive) for path in paths)
        chips.append(Record(before, after, label))
    if not chips:
        raise InputError(f"{file}: lists no chip; write it again (geochange data index {root})")
    return tuple(chips)


def _path(file: Path, root: Path, path: str, is_archive: bool) -> Path:
    """A path of a list. Raises InputError for one that leads out of an archive."""
    if is_archive and (path.startswith("/") or ".." in path.split("/")):
        raise InputError(f"{file}: names {path[:80]!r}, which is not in the archive; unpack it")
    return root / path


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
        return all(_is_picture(path) for line in _lines(file) for path in line)
    except InputError:
        return False


def listed_path(path: Path, root: Path) -> str:
    """A path as a list writes it: relative to `root` if it is below `root`, else absolute."""
    full, start = path.absolute(), root.absolute()
    return (full.relative_to(start) if full.is_relative_to(start) else full).as_posix()


def _line(chip: Record, root: Path) -> str:
    files = chip.before, chip.after, chip.label
    paths = [listed_path(path, root) for path in files if isinstance(path, Path)]
    if len(paths) < len(files) or chip.window is not None:
        raise InputError(
            f"{root}: its labels are no masks, which a list could name; name the folder itself instead"
        )
    line = SEPARATOR.join(paths)
    if list(_split([line])) != [tuple(paths)] or not line.isprintable():
        raise InputError(f"{chip.before}: a list cannot hold this name; take spaces out of it")
    return f"{line}\n"


def _lines(file: Path) -> Iterator[tuple[str, ...]]:
    try:
        text = _text(file).replace("\r\n", "\n").replace("\r", "\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"{file}: cannot be read ({reason}); name a list of chips") from error
    for number, paths in enumerate(_split(text.split("\n")), 1):
        if paths is None or "\0" in "".join(paths):
            raise InputError(
                f"{file}, line {number}: does not hold three paths; write before, after and label on "
                "it, with two spaces or a tab between"
            )
        if paths:
            yield paths


def _text(file: Path) -> str:
    """The text of a list. Raises InputError, OSError and UnicodeDecodeError."""
    what = "a list of chips"
    if split(str(file)) is not None:
        return read_file(file, _LARGEST_BYTES, what).decode("utf-8-sig")
    return read_text(file, _LARGEST_BYTES, what)


def _split(lines: Iterable[str]) -> Iterator[tuple[str, ...] | None]:
    """The paths of each line: three paths, none for an empty line, None for another count."""
    for line in lines:
        paths = tuple(re.split(r" *\t\s*| {2,}", line.strip())) if line.strip() else ()
        words = tuple(line.split())
        if len(paths) != 3 and len(words) == 3 and all(map(_is_picture, words)):
            paths = words
        yield paths if len(paths) in (0, 3) else None


def _is_picture(path: str) -> bool:
    return Path(path).suffix.lower() in SUFFIXES
