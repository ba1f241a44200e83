"""DynamicEarthNet (Toker et al. 2022): monthly pictures and land cover; neighbouring months are pairs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from geochange.dataset.chip_record import Record
from geochange.dataset.layouts.layout import Found, short_list
from geochange.dataset.layouts.place_lists import ALL, listed_splits, places_of_split
from geochange.dataset.truth.class_labels import ClassLabels, Legend
from geochange.errors import InputError
from geochange.files.file_tree import folders_in, subfolder, walk
from geochange.training.data.chip_source import SPLITS

LEGEND = Legend(
    names=(
        *("impervious surface", "agriculture", "forest and other vegetation", "wetlands", "soil"),
        *("water", "snow and ice"),
    ),
    first=1,
    by_band=True,
)

LABELS = "labels"
LISTS = ("split_info", "splits", "split")
"""Folders that may hold the lists, beside the root."""

_CUBE = re.compile(r"^(\d+_\d+_\d+)(?:_\d+[A-Z])?$")
_MONTH = re.compile(r"(?:^|[^0-9])(\d{4})[-_](\d{2})[-_]01$")

Month = tuple[int, int]
"""Year and month, from 1 to 12."""


@dataclass(frozen=True)
class DynamicEarthNet:
    """planet*/.../CUBE/PF-SR/2018-01-01.tif and labels/CUBE_ZONE/.../...-2018-01-01.tif."""

    about: str = "planet.*/CUBE/PF-SR/ labels/CUBE_ZONE/"
    labels: str = "land cover of each month; change is where two neighbouring months differ"
    bands: tuple[int, ...] | None = (3, 2, 1)

    def splits(self, root: Path) -> tuple[str, ...]:
        """Those with a list of cubes; else `all`."""
        if not _planet_folders(root) or not _cube_folders(root):
            return ()
        lists = _lists(root)
        return tuple(split for split in SPLITS if split in lists) or (ALL,)

    def fits(self, root: Path, split: str) -> bool:
        """See Layout."""
        return split in self.splits(root)

    def find(self, root: Path, split: str) -> Found:
        """See Layout."""
        planets, labels = _planet_folders(root), _by_month(subfolder(root, LABELS))
        pictures: dict[tuple[str, Month], Path] = {}
        for folder in planets.values():
            for key, path in _by_month(folder).items():
                pictures.setdefault(key, path)
        cubes = places_of_split(split, _lists(root), {cube for cube, _ in labels}, root)
        wanted = sorted(key for key in labels if key[0] in set(cubes))
        records = [
            _record(cube, month, after, pictures, labels)
            for cube, month in wanted
            if (after := _next(month))
            and {(cube, month), (cube, after)} <= labels.keys()
            and {(cube, month), (cube, after)} <= pictures.keys()
        ]
        absent = [_name(*key) for key in wanted if key not in pictures]
        if not records:
            raise InputError(
                f"{root}: {split} has no two neighbouring months with pictures and labels; fetch both"
            )
        others = [f"{name}/" for name in folders_in(root) if name not in (*planets, LABELS, *LISTS)]
        daily = ("pictures that are not of the first day of a month",)
        return Found(
            tuple(records),
            (*planets, LABELS),
            (*short_list("", others), *daily),
            short_list("pictures of ", absent),
        )


def _planet_folders(root: Path) -> dict[str, Path]:
    return {
        name: place for name, place in folders_in(root).items() if name.lower().startswith("planet")
    }


def _cube_folders(root: Path) -> list[str]:
    labels = subfolder(root, LABELS)
    return [] if labels is None else [name for name in folders_in(labels) if _CUBE.match(name)]


def _lists(root: Path) -> dict[str, Path]:
    places: Iterator[Path | None] = (subfolder(root, name) for name in LISTS)
    return listed_splits([root, *(place for place in places if place is not None)])


def _by_month(folder: Path | None) -> dict[tuple[str, Month], Path]:
    """The rasters of first days of months below a folder, by cube and month."""
    found: dict[tuple[str, Month], Path] = {}
    for path in walk(folder) if folder is not None else ():
        date = _MONTH.search(path.stem)
        if date is None or path.suffix.lower() not in (".tif", ".tiff"):
            continue
        cubes = [match[1] for part in path.parts if (match := _CUBE.match(part))]
        if cubes and "QA" not in path.parent.name:
            found.setdefault((cubes[-1], (int(date[1]), int(date[2]))), path)
    return found


def _next(month: Month) -> Month:
    year, number = month
    return (year + 1, 1) if number == 12 else (year, number + 1)


def _name(cube: str, month: Month) -> str:
    return f"{cube}_{month[0]:04}-{month[1]:02}"


def _record(
    cube: str,
    month: Month,
    after: Month,
    pictures: dict[tuple[str, Month], Path],
    labels: dict[tuple[str, Month], Path],
) -> Record:
    one, two = (cube, month), (cube, after)
    truth = ClassLabels(labels[one], labels[two], LEGEND)
    return Record(pictures[one], pictures[two], truth, called=_name(*one))
