"""HRSCD (Daudt et al. 2019): aerial pictures of 10,000 px, land cover of both dates and change."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from geochange.chip import CHANGED, UNCHANGED
from geochange.dataset.chip_record import Record
from geochange.dataset.layouts.layout import Found, short_list
from geochange.dataset.layouts.place_lists import ALL, listed_splits, places_of_split
from geochange.dataset.truth.class_labels import ClassLabels, Legend
from geochange.errors import InputError
from geochange.files.file_tree import folders_in, walk
from geochange.grid.tiling import TilePlan
from geochange.raster.pictures.image import SUFFIXES, describe_picture
from geochange.training.data.chip_source import SPLITS

CHIP_PX = 1000
"""The side of the chips that are read from a picture."""

LEGEND = Legend(
    names=(
        *("no information", "artificial surfaces", "agricultural areas", "forests", "wetlands"),
        "water",
    ),
    unknown=frozenset({"no information"}),
)

CHANGE_VALUES = {0: UNCHANGED, 1: CHANGED, 255: CHANGED}

_IMAGES = re.compile(r"^images_(\d{4})$")
_CLASSES = re.compile(r"^labels_land_cover_(\d{4})$")
CHANGE = "labels_change"


@dataclass(frozen=True)
class Hrscd:
    """Pictures of both dates have different names, and share department and place."""

    about: str = (
        "images_2006/ images_2012/ labels_land_cover_2006/ labels_land_cover_2012/ labels_change/"
    )
    labels: str = "masks of change; unknown where the land cover of a date is"
    bands: tuple[int, ...] | None = None

    def splits(self, root: Path) -> tuple[str, ...]:
        """Those with a list of places; else `all`."""
        if _folders(root) is None:
            return ()
        lists = listed_splits([root])
        return tuple(split for split in SPLITS if split in lists) or (ALL,)

    def fits(self, root: Path, split: str) -> bool:
        """See Layout."""
        return split in self.splits(root)

    def find(self, root: Path, split: str) -> Found:
        """See Layout."""
        folders = _folders(root)
        if folders is None:
            raise InputError(f"{root}: lacks a folder of HRSCD; it needs {self.about}")
        kinds = [_by_place(folder) for folder in folders.values()]
        shared = set(kinds[0]).intersection(*kinds[1:])
        partial = sorted(set().union(*kinds) - shared)
        if not shared:
            raise InputError(f"{root}: no place is in all of {', '.join(folders)}; fetch it again")
        places = places_of_split(split, listed_splits([root]), shared, root)
        records = [r for place in places for r in _records(place, [kind[place] for kind in kinds])]
        others = [f"{name}/" for name in folders_in(root) if name not in folders]
        return Found(
            tuple(records),
            tuple(folders),
            short_list("", others),
            short_list("files of ", partial),
        )


def _folders(root: Path) -> dict[str, Path] | None:
    """The folders before, after, of classes before and after, and of change, by name."""
    there = folders_in(root)
    pictures, classes = ([n for n in there if form.match(n)] for form in (_IMAGES, _CLASSES))
    if len(pictures) != 2 or len(classes) != 2 or CHANGE not in there:
        return None
    return {name: there[name] for name in (*pictures, *classes, CHANGE)}


def _by_place(folder: Path) -> dict[str, Path]:
    """The pictures below a folder by place. Raises InputError for two of one place."""
    found: dict[str, Path] = {}
    for path in walk(folder):
        if path.suffix.lower() not in SUFFIXES:
            continue
        place = _place(path)
        if place in found:
            raise InputError(f"{path}: is of the same place as {found[place]}; keep one of the two")
        found[place] = path
    return found


def _place(path: Path) -> str:
    """14-0415-6890 of 14-2005-0415-6890-LA93.tif; D14/1 of D14/1.tif."""
    parts = path.stem.split("-")
    if len(parts) >= 4 and re.fullmatch(r"\d{4}", parts[1]):
        return "-".join((parts[0], parts[2], parts[3]))
    return f"{path.parent.name}/{path.stem}"


def _records(place: str, files: list[Path]) -> list[Record]:
    """The chips of a place."""
    before, after, one, two, change = files
    truth = ClassLabels(one, two, LEGEND, change, CHANGE_VALUES)
    plan = TilePlan(describe_picture(before).shape, CHIP_PX, 0, 1)
    name = place.replace("/", "_")
    return [Record(before, after, truth, name, window) for window in plan.output_windows()]
