"""Pictures in images/ and text files of polygons in labels/, dates in their names (YOLO, Roboflow)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from geochange.dataset.chip_record import Record
from geochange.dataset.layouts.layout import (
    Found,
    fitting_splits,
    folder_of_split,
    other_folders,
    pictures_in,
    short_list,
)
from geochange.dataset.layouts.roboflow import is_dated, pairs_by_place
from geochange.dataset.split_names import split_path
from geochange.dataset.truth.yolo_labels import YoloLabels
from geochange.errors import InputError
from geochange.files.file_tree import files_in, subfolder

IMAGES, LABELS, SUFFIX = "images", "labels", ".txt"


@dataclass(frozen=True)
class Yolo:
    """A picture without a text file has no polygon; a pair without any is not labelled."""

    about: str = "images/PLACE_before.jpg images/PLACE_after.jpg labels/PLACE_after.txt"
    labels: str = "polygons on either date; each is change"
    bands: tuple[int, ...] | None = None

    def splits(self, root: Path) -> tuple[str, ...]:
        """See Layout."""
        return fitting_splits(self, root)

    def fits(self, root: Path, split: str) -> bool:
        """See Layout."""
        place = split_path(root, split)
        images, labels = subfolder(place, IMAGES), subfolder(place, LABELS)
        if images is None or labels is None:
            return False
        told = (path for path in files_in(labels) if path.suffix.lower() == SUFFIX)
        return any(is_dated(path.stem) for path in told)

    def find(self, root: Path, split: str) -> Found:
        """See Layout."""
        place = folder_of_split(root, split)
        pictures, others = pictures_in(subfolder(place, IMAGES), place / IMAGES)
        labels = subfolder(place, LABELS)
        if labels is None:
            raise InputError(f"{place / LABELS}: no such folder; export the labels, too")
        told = {path.stem: path for path in files_in(labels) if path.suffix.lower() == SUFFIX}
        pairs, odd = pairs_by_place(place / IMAGES, pictures)
        records, absent = [], []
        for name, both in sorted(pairs.items()):
            files = tuple(told[stem] for stem in both if stem in told)
            if not files:
                absent.append(name)
                continue
            before, after = (pictures[stem] for stem in both)
            records.append(Record(before, after, YoloLabels(files), called=name))
        if not records:
            raise InputError(f"{place}: no pair has a label; it needs {self.about}")
        lost = sorted(set(told) - pictures.keys())
        return Found(
            tuple(records),
            (IMAGES, LABELS),
            short_list("", [*other_folders(place, (IMAGES, LABELS)), *odd, *others]),
            (*short_list("labels of ", absent), *short_list("pictures of ", lost)),
        )
