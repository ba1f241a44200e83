"""Finds the root of a data set, its splits and their layout, by name or by looking."""

from __future__ import annotations

import os
from pathlib import Path

from geochange.dataset.chip_lists import read_list
from geochange.dataset.chip_record import Record
from geochange.dataset.layouts import LAYOUTS, Found, find_layout
from geochange.dataset.split_names import LIST as LIST_SUFFIX
from geochange.dataset.split_names import is_there, root_of, split_path
from geochange.errors import InputError, OptionError
from geochange.files.archives import list_names
from geochange.files.file_names import expand_user
from geochange.files.file_tree import folders_in, is_folder
from geochange.training.data.chip_source import SPLITS

DATA_ROOT_VARIABLE = "CDPATH"
"""The environment variable with the folder of data sets, as in the published configurations."""

AUTO, LIST = "auto", "list"
LAYOUT_NAMES = (AUTO, *LAYOUTS, LIST)
"""The names of layouts; "auto" detects the layout."""

Where = str | os.PathLike[str]


def find_root(root: str | None, name: str | None) -> Path:
    """The folder of a data set: `root`, or the folder `name` below a folder that CDPATH names.

    Raises InputError if the folder does not exist, and OptionError if no folder is given.
    """
    ways = f"name the folder by --data, by data.root in the YAML, or {DATA_ROOT_VARIABLE} with data.name"
    if root is not None:
        return _need_folder(expand_user(root), ways)
    # The variable may hold several folders, separated like PATH.
    places = [
        Path(place) for place in os.environ.get(DATA_ROOT_VARIABLE, "").split(os.pathsep) if place
    ]
    if name is None or not places:
        raise OptionError(f"no data set is named; {ways}")
    found = [expand_user(place) / name for place in places]
    return next((path for path in found if is_folder(root_of(path))), None) or _need_folder(
        found[0], ways
    )


def splits_of(root: Where, layout: str = AUTO) -> tuple[str, ...]:
    """The splits among train, val and test that exist. Raises InputError if there is none."""
    place = _checked_root(root, layout)
    found = _splits(place, layout)
    if not found:
        raise InputError(
            f"{place}: holds neither train/, val/, test/ nor lists of such names; check the path"
        )
    return found


def has_split(root: Where, split: str, layout: str = AUTO) -> bool:
    """Whether a split exists, under any of its names. Raises InputError and OptionError."""
    return is_split_there(_checked_root(root, layout), split, layout)


def layout_of(root: Where, split: str, layout: str = AUTO) -> str:
    """The name of a split's layout. "auto" detects it from the folders.

    Raises InputError if no layout matches, or if several do.
    """
    place = _checked_root(root, layout)
    if layout != AUTO:
        return layout
    found = find_layout(place, split)
    folder = split_path(place, split)
    if found is not None and (is_folder(folder) or LAYOUTS[found].fits(place, split)):
        return found
    if is_there(place, split, LIST_SUFFIX):
        return LIST
    if not is_folder(folder):
        _refuse_absent(place, split, found)
    names = list_names([f"{name}/" for name in folders_in(folder)])
    found, make = (
        (f"{names}, which is", "rename them to") if names else ("no folders, and so", "make")
    )
    raise InputError(
        f"{folder}: holds {found} no known layout; {make} A/, B/ and label/ (before, after and mask), "
        f"write {split}.txt with these three paths a line, or name another layout (--layout: "
        f"{', '.join(LAYOUTS)})"
    )


def _refuse_absent(root: Path, split: str, found: str | None) -> None:
    """Refuse a split that does not exist. Raises InputError."""
    splits = _splits(root, AUTO)
    if found is not None and not any(is_folder(split_path(root, each)) for each in splits):
        LAYOUTS[found].find(root, split)  # says what names the splits of this layout
    there = ", ".join(splits)
    raise InputError(
        f"{root}: has neither {split}/ nor {split}.txt{f', but {there}' if there else ''}; "
        "check the path, or name another split"
    )


def found_in(root: Where, split: str, layout: str = AUTO) -> Found:
    """What a layout takes from a split, and what it leaves out. Raises InputError."""
    place = root_of(Path(root))
    kind = layout_of(root, split, layout)
    if kind == LIST:
        file = split_path(place, split, LIST_SUFFIX)
        return Found(read_list(file, place), (file.name,))
    return LAYOUTS[kind].find(place, split)


def records_of(root: Where, split: str, layout: str = AUTO) -> tuple[Record, ...]:
    """The chips of a split, for layouts with one file per picture. Raises InputError."""
    found = found_in(root, split, layout)
    if found.pairs:
        folder = split_path(root_of(Path(root)), split)
        raise InputError(f"{folder}: holds whole rasters, no chips; cut them (data chips)")
    return found.records


def _need_folder(path: Path, ways: str) -> Path:
    if not is_folder(root_of(path)):
        raise InputError(f"{path}: no such folder; {ways}")
    return path


def _checked_root(root: Where, layout: str) -> Path:
    if layout not in LAYOUT_NAMES:
        raise OptionError(f"layout {layout} is not known; choose {', '.join(LAYOUT_NAMES)}")
    return root_of(_need_folder(Path(root), "name the folder that holds train/, val/ or test/"))


def _splits(root: Path, layout: str) -> tuple[str, ...]:
    if layout in LAYOUTS:
        found: tuple[str, ...] = LAYOUTS[layout].splits(root)
    else:
        name = find_layout(root) if layout == AUTO else None
        found = () if name is None else LAYOUTS[name].splits(root)
    more = (split for split in SPLITS if split not in found and is_split_there(root, split, layout))
    usual = {*found, *more}
    return (*(split for split in SPLITS if split in usual), *(s for s in found if s not in SPLITS))


def is_split_there(root: Path, split: str, layout: str) -> bool:
    """The same below the root itself, such as the top of an archive."""
    listed, inside = is_there(root, split, LIST_SUFFIX), is_there(root, split)
    if layout == LIST:
        return listed
    if inside or (layout == AUTO and listed):
        return True
    name = find_layout(root, split) if layout == AUTO else layout
    return name is not None and LAYOUTS[name].fits(root, split)
