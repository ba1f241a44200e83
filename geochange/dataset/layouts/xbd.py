"""xBD of xView2 (Gupta et al. 2019): pictures before and after a disaster, and damage as polygons."""

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
from geochange.dataset.split_names import split_path
from geochange.dataset.truth.damage_labels import DamageLabels
from geochange.errors import InputError
from geochange.files.file_tree import files_in, folders_in, subfolder

IMAGES, LABELS = "images", "labels"
BEFORE, AFTER = "_pre_disaster", "_post_disaster"


@dataclass(frozen=True)
class Xbd:
    """images/ID_pre_disaster.png, images/ID_post_disaster.png, labels/ID_post_disaster.json."""

    about: str = (
        "images/ID_pre_disaster.png images/ID_post_disaster.png labels/ID_post_disaster.json"
    )
    labels: str = "damage of buildings as polygons; change is any damage, un-classified is unknown"
    bands: tuple[int, ...] | None = None

    def splits(self, root: Path) -> tuple[str, ...]:
        """Those that have both folders; also hold, tier1 and tier3."""
        usual = fitting_splits(self, root)
        taken = {split_path(root, split).name for split in usual}
        others = (name for name in folders_in(root) if name not in taken)
        return (*usual, *(name for name in others if self.fits(root, name)))

    def fits(self, root: Path, split: str) -> bool:
        """See Layout."""
        place = split_path(root, split)
        images, labels = subfolder(place, IMAGES), subfolder(place, LABELS)
        if images is None or labels is None:
            return False
        return any(path.stem.endswith(AFTER) for path in files_in(images))

    def find(self, root: Path, split: str) -> Found:
        """See Layout."""
        place = folder_of_split(root, split)
        images, labels = subfolder(place, IMAGES), subfolder(place, LABELS)
        pictures, others = pictures_in(images, place / IMAGES)
        if labels is None:
            raise InputError(f"{place / LABELS}: no such folder; fetch the labels, too")
        told = {path.stem: path for path in files_in(labels) if path.suffix.lower() == ".json"}
        names = {
            stem.removesuffix(end)
            for stem in (*pictures, *told)
            for end in (BEFORE, AFTER)
            if stem.endswith(end)
        }
        if not names:
            raise InputError(f"{place / IMAGES}: holds no picture ID{AFTER}.png; fetch it again")
        records = tuple(_record(name, place, pictures, told) for name in sorted(names))
        odd = [stem for stem in pictures if not stem.endswith((BEFORE, AFTER))]
        ignored = (*other_folders(place, (IMAGES, LABELS)), *odd, *others)
        return Found(records, (IMAGES, LABELS), short_list("", ignored))


def _record(name: str, place: Path, pictures: dict[str, Path], told: dict[str, Path]) -> Record:
    before, after = pictures.get(f"{name}{BEFORE}"), pictures.get(f"{name}{AFTER}")
    label = told.get(f"{name}{AFTER}")
    if before is None or after is None or label is None:
        gone = f"{IMAGES}/{name}{BEFORE}.png" if before is None else f"{LABELS}/{name}{AFTER}.json"
        gone = f"{IMAGES}/{name}{AFTER}.png" if before and after is None else gone
        raise InputError(f"{place / gone}: is missing beside the other files of {name}; fetch it")
    return Record(before, after, DamageLabels(label), called=name)
