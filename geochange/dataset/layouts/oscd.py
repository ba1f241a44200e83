"""OSCD (Daudt et al. 2018): a folder a city, with a file for each band of Sentinel-2 at each date."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from geochange.chip import CHANGED, UNCHANGED
from geochange.dataset.chip_record import Record
from geochange.dataset.layouts.layout import Found, short_list
from geochange.dataset.layouts.place_lists import ALL, listed_splits, places_of_split
from geochange.dataset.truth.value_masks import ValueMasks
from geochange.errors import InputError
from geochange.files.file_tree import files_in, folders_in, subfolder
from geochange.raster.pictures.band_files import BandFiles
from geochange.training.data.chip_source import SPLITS

BANDS = (
    *("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"),
)
"""The bands in the order of their numbers: red, green and blue are 4, 3 and 2."""

DATES = (("imgs_1_rect", "imgs_2_rect"), ("imgs_1", "imgs_2"))
"""The folders of both dates. Those with resampled bands come first."""

MASK = "cm"

TIFF_VALUES: Mapping[int, int] = {1: UNCHANGED, 2: CHANGED}
PICTURE_VALUES: Mapping[int, int] = {0: UNCHANGED, 255: CHANGED, 1: CHANGED}
"""The masks are published twice: as CITY-cm.tif of 1 and 2, and as cm.png of 0 and 255."""

_BAND = re.compile(r"(?:^|_)(B\d\d|B8A)$", re.IGNORECASE)


@dataclass(frozen=True)
class Oscd:
    """Cities anywhere in the two upper levels of folders; masks may lie in other folders."""

    about: str = "CITY/imgs_1_rect/ CITY/imgs_2_rect/ CITY/cm/"
    labels: str = "masks of change: 255 of cm.png, 2 of CITY-cm.tif"
    bands: tuple[int, ...] | None = (4, 3, 2)

    def splits(self, root: Path) -> tuple[str, ...]:
        """Those with a list, or with a folder of masks that names them; else `all`."""
        if not self._cities(root):
            return ()
        named = {**self._lists(root), **self._mask_folders(root)}
        return tuple(split for split in SPLITS if split in named) or (ALL,)

    def fits(self, root: Path, split: str) -> bool:
        """See Layout."""
        return split in self.splits(root)

    def find(self, root: Path, split: str) -> Found:
        """See Layout."""
        cities, masks, names = self._cities(root), self._masks(root), self._of(root, split)
        absent = [name for name in names if name not in masks]
        records = [_record(name, cities[name], masks[name]) for name in names if name in masks]
        if not records:
            raise InputError(f"{root}: holds no mask (CITY/cm/) for {split}; fetch the labels, too")
        read = {folder.name for name in names for folder in _date_folders(cities[name]) or ()}
        usual = {*names, *(city for other in self.splits(root) for city in self._of(root, other))}
        unused = [f"{name}/" for name in sorted(cities) if name not in usual]
        return Found(
            tuple(records),
            (*sorted(read), MASK),
            short_list("", unused),
            short_list("masks of ", absent),
        )

    def _of(self, root: Path, split: str) -> list[str]:
        """The cities of a split: those of its list, else those whose masks lie in its folder."""
        cities, lists = self._cities(root), self._lists(root)
        own = self._mask_folders(root).get(split)
        if split in lists or own is None:
            return places_of_split(split, lists, cities, root)
        return [name for name in sorted(cities) if name in folders_in(own)]

    def _parents(self, root: Path) -> list[Path]:
        return [root, *folders_in(root).values()]

    def _cities(self, root: Path) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for parent in self._parents(root):
            for name, folder in folders_in(parent).items():
                if _date_folders(folder) is not None:
                    found.setdefault(name, folder)
        return found

    def _masks(self, root: Path) -> dict[str, Path]:
        found: dict[str, Path] = {}
        for parent in self._parents(root):
            for name, folder in folders_in(parent).items():
                mask = subfolder(folder, MASK)
                if mask is not None:
                    found.setdefault(name, mask)
        return found

    def _mask_folders(self, root: Path) -> dict[str, Path]:
        """The folders of masks that name a split, as "... - Train Labels"."""
        found = {}
        for name, folder in folders_in(root).items():
            words = re.split(r"[^a-z]+", name.lower())
            for split in SPLITS:
                if split in words and any(w.startswith("label") for w in words):
                    found[split] = folder
        return found

    def _lists(self, root: Path) -> dict[str, Path]:
        return listed_splits(self._parents(root))


def _date_folders(city: Path) -> tuple[Path, Path] | None:
    for before, after in DATES:
        both = subfolder(city, before), subfolder(city, after)
        if both[0] is not None and both[1] is not None:
            return both[0], both[1]
    return None


def _record(name: str, city: Path, mask: Path) -> Record:
    dates = _date_folders(city)
    assert dates is not None  # of a city
    before, after = (_band_files(folder) for folder in dates)
    return Record(before, after, _truth(mask), called=name)


def _band_files(folder: Path) -> BandFiles:
    """The files of all bands. Raises InputError if one is missing, or there twice."""
    found: dict[str, Path] = {}
    for path in files_in(folder):
        band = _BAND.search(path.stem)
        if band is None or path.suffix.lower() not in (".tif", ".tiff"):
            continue
        if band[1].upper() in found:
            raise InputError(f"{path}: is another file of band {band[1]}; keep one of the two")
        found[band[1].upper()] = path
    absent = [band for band in BANDS if band not in found]
    if absent:
        raise InputError(f"{folder}: lacks {absent[0]}.tif; add the bands {', '.join(absent)}")
    return BandFiles(folder, tuple(found[band] for band in BANDS))


def _truth(mask: Path) -> ValueMasks:
    files = files_in(mask)
    picture = next((path for path in files if path.name.lower() == "cm.png"), None)
    raster = next(
        (path for path in files if path.stem.lower().endswith("cm") and path != picture), None
    )
    if picture is not None:
        return ValueMasks((picture,), PICTURE_VALUES)
    if raster is None or raster.suffix.lower() not in (".tif", ".tiff"):
        raise InputError(f"{mask}: holds neither cm.png nor CITY-cm.tif; fetch the labels again")
    return ValueMasks((raster,), TIFF_VALUES)
