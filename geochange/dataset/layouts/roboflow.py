"""Exports of Roboflow and tools alike: all files of a split in one folder, dates in their names.

Labels are _annotations.coco.json, or masks NAME_mask.png with _classes.csv. A picture is called
PLACE_before.jpg, or PLACE_before_jpg.rf.HASH.jpg as Roboflow renames it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from geochange.chip import CHANGED, UNCHANGED
from geochange.dataset.chip_record import Record, Truth
from geochange.dataset.layouts.layout import (
    Found,
    fitting_splits,
    folder_of_split,
    other_folders,
    pictures_in,
    short_list,
)
from geochange.dataset.split_names import split_path
from geochange.dataset.truth.coco_labels import CocoLabels, read_coco
from geochange.dataset.truth.value_masks import ValueMasks
from geochange.errors import InputError
from geochange.files.file_tree import files_in, is_folder, read_file

COCO, CLASSES = "_annotations.coco.json", "_classes.csv"
MASK = "_mask"
BACKGROUND = "background"
LARGEST_BYTES = 1024**2
MOST_CLASSES = 256

_BEFORE, _AFTER = "before|pre|t1|time1|A", "after|post|t2|time2|B"
_NAME = re.compile(
    rf"^(?P<place>.+)[_-](?:(?P<before>{_BEFORE})|(?P<after>{_AFTER}))"
    r"(?:[_.](?:jpe?g|png|tiff?|webp|bmp))?(?:\.rf\.\w+)?$"
)


@dataclass(frozen=True)
class Roboflow:
    """One folder a split, with pictures of both dates and their labels."""

    about: str = f"PLACE_before.jpg PLACE_after.jpg and {COCO}, or *{MASK}.png and {CLASSES}"
    labels: str = "objects or masks on either date; each is change"
    bands: tuple[int, ...] | None = None

    def splits(self, root: Path) -> tuple[str, ...]:
        """See Layout."""
        return fitting_splits(self, root)

    def fits(self, root: Path, split: str) -> bool:
        """See Layout."""
        place = split_path(root, split)
        if not is_folder(place):
            return False
        names = {path.name for path in files_in(place)}
        return bool({COCO, CLASSES} & names) and any(_NAME.match(Path(n).stem) for n in names)

    def find(self, root: Path, split: str) -> Found:
        """See Layout."""
        place = folder_of_split(root, split)
        pictures, others = pictures_in(place, place)
        files = {path.name: path for path in files_in(place)}
        masks = {stem: path for stem, path in pictures.items() if stem.endswith(MASK)}
        pairs, odd = pairs_by_place(place, (stem for stem in pictures if stem not in masks))
        if not pairs:
            raise InputError(f"{place}: holds no PLACE_before.jpg; it needs {self.about}")
        if COCO in files and CLASSES in files:
            raise InputError(f"{place}: holds {COCO} and {CLASSES}; keep one of the two")
        if COCO in files:
            truths = _coco_truths(files[COCO], pairs, pictures)
        elif CLASSES in files:
            truths = _mask_truths(files[CLASSES], pairs, masks)
        else:
            raise InputError(f"{place}: holds no labels; it needs {COCO}, or {CLASSES} and masks")
        records = [
            Record(pictures[before], pictures[after], truths[name], called=name)
            for name, (before, after) in sorted(pairs.items())
            if name in truths
        ]
        absent = [name for name in sorted(pairs) if name not in truths]
        if not records:
            raise InputError(f"{place}: no pair has a label; export the labels, too")
        return Found(
            tuple(records),
            (".", COCO if COCO in files else CLASSES),
            short_list("", [*other_folders(place, ()), *odd, *others]),
            short_list("labels of ", absent),
        )


def is_dated(stem: str) -> bool:
    """Whether the name of a picture says its date."""
    return _NAME.match(stem) is not None


def pairs_by_place(
    place: Path, stems: Iterable[str]
) -> tuple[dict[str, tuple[str, str]], list[str]]:
    """The names before and after by place, and names that are of no date.

    Raises InputError for one date without the other, and for several versions of one picture.
    """
    dates: dict[str, dict[str, str]] = {}
    odd = []
    for stem in stems:
        match = _NAME.match(stem)
        if match is None:
            odd.append(stem)
            continue
        date = "before" if match["before"] else "after"
        other = dates.setdefault(match["place"], {}).setdefault(date, stem)
        if other != stem:
            raise InputError(
                f"{place}: holds {other} and {stem}, two versions of one picture; export it without "
                "augmentation"
            )
    for name, both in dates.items():
        if len(both) < 2:
            gone = "after" if "before" in both else "before"
            raise InputError(f"{place}: {name} has no picture {gone}; add {name}_{gone}.jpg")
    return {name: (both["before"], both["after"]) for name, both in dates.items()}, odd


def _coco_truths(
    file: Path, pairs: dict[str, tuple[str, str]], pictures: dict[str, Path]
) -> dict[str, Truth]:
    listed = read_coco(file).objects
    named = {
        name: tuple(pictures[stem].name for stem in both if pictures[stem].name in listed)
        for name, both in pairs.items()
    }
    return {name: CocoLabels(file, names) for name, names in named.items() if names}


def _mask_truths(
    file: Path, pairs: dict[str, tuple[str, str]], masks: dict[str, Path]
) -> dict[str, Truth]:
    values = _mask_values(file)
    found: dict[str, Truth] = {}
    for name, both in pairs.items():
        paths = tuple(masks[f"{stem}{MASK}"] for stem in both if f"{stem}{MASK}" in masks)
        if paths:
            found[name] = ValueMasks(paths, values)
    return found


def _mask_values(file: Path) -> dict[int, int]:
    """What each value of the masks means: all but the background is change. Raises InputError."""
    try:
        text = read_file(file, LARGEST_BYTES, "a list of classes").decode("utf-8-sig")
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text)) if row]
        values = {int(number): name.lower() for number, name in rows[1:]}
    except (ValueError, csv.Error) as error:
        raise InputError(f"{file}: holds no lines NUMBER, CLASS; export it again") from error
    if not values or len(values) > MOST_CLASSES:
        raise InputError(f"{file}: names {len(values):,} classes; export it again")
    return {v: UNCHANGED if name == BACKGROUND else CHANGED for v, name in values.items()}
