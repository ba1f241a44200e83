"""Lists of places: text files that assign the places of a data set to splits, as in train.txt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from geochange.dataset.split_names import LIST, split_path
from geochange.errors import InputError
from geochange.files.file_tree import is_file, read_file
from geochange.training.data.chip_source import SPLITS

ALL = "all"
"""The split that holds every place of a data set without lists."""

LARGEST_BYTES = 16 * 1024**2


def listed_splits(folders: Iterable[Path]) -> dict[str, Path]:
    """The list of each split: the first in some folders."""
    lists: dict[str, Path] = {}
    for folder in folders:
        for split in SPLITS:
            file = split_path(folder, split, LIST)
            if is_file(file):
                lists.setdefault(split, file)
    return lists


def read_places(file: Path) -> frozenset[str]:
    """The words of a list, and the parts of paths in it. Raises InputError."""
    try:
        text = read_file(file, LARGEST_BYTES, "a list of places").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: is not text; write one place a line") from error
    return frozenset(word for word in re.split(r"[,\s/\\]+", text) if word)


def places_of_split(
    split: str, lists: Mapping[str, Path], places: Iterable[str], root: Path
) -> list[str]:
    """The places of a split, sorted. Raises InputError if there is no list, or it names none."""
    known = sorted(places)
    if split == ALL:
        return known
    if split not in lists:
        raise InputError(
            f"{root}: does not say which places are {split}; write {split}{LIST} into it with one "
            f"place a line, such as {known[0] if known else 'a name'}"
        )
    words = read_places(lists[split])
    # A place D14/1 is listed by its last part, too, where that is enough.
    chosen = [place for place in known if place in words or set(place.split("/")) <= words]
    if not chosen:
        raise InputError(
            f"{lists[split]}: names no place of {root}; one is {known[0] if known else 'missing'}"
        )
    return chosen
