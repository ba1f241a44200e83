"""Library: the pictures that pairs are made of, in memory, by ground resolution."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geochange.errors import InputError
from geochange.training.data.picture_file import open_picture
from geochange.training.planting.labelled_buildings import LabelledTown, read_towns

Picture = NDArray[np.uint8]
"""(height, width, 3) RGB."""

HELD_OUT_CITIES = ("bishop", "eureka", "santa_monica", "chico", "montpellier", "norcia")
"""Cities of revisits/ that are kept out of training."""

SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp"}

HELD_OUT_EVERY = 5
DATES = ("time1", "time2")

LARGEST_PX = 1024
"""Larger pictures are cropped to their middle."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place with one or more visits.

    visits: pictures of one size. names: the path of each visit within the library. far: whether a
    pixel shows ten metres instead of one.
    """

    visits: tuple[Picture, ...]
    names: tuple[str, ...]
    far: bool


@dataclass(frozen=True)
class Library:
    """Places at which something can be planted, and pictures that it can be cut from.

    towns: buildings that somebody labelled, to plant.
    """

    places: tuple[Place, ...]
    towns: tuple[LabelledTown, ...] = ()

    def of(self, far: bool, often: bool) -> list[int]:
        """The numbers of places by ground resolution, and by whether they have several visits."""
        return self._kinds[far, often]

    @cached_property
    def _kinds(self) -> Mapping[tuple[bool, bool], list[int]]:
        kinds: Mapping[tuple[bool, bool], list[int]] = defaultdict(list)
        for number, place in enumerate(self.places):
            kinds[place.far, len(place.visits) > 1].append(number)
        return kinds


def read_library(folder: Path, *, kept_out: bool = False) -> Library:
    """Read all that is there of a folder's revisits/, scenes/ and labelled/.

    revisits/naip: CITY_YEAR_INDEX.jpg, places seen again from the air. revisits/sentinel2: time1/
    and time2/ with pictures of one name, seen again from orbit. scenes/: pictures of single
    places, from the air. labelled/SET/images: more of them, and their buildings to plant.
    labelled/SET/time1, time2, single: from orbit, seen again and once. kept_out: only the cities
    that are for judging, and every fifth labelled picture, else only the others.
    Raises InputError where there is no picture, or one cannot be read.
    """
    near, far = folder / "revisits" / "naip", folder / "revisits" / "sentinel2"
    again = [group for group in _visits(near) if _is_kept_out(group[0]) == kept_out]
    dates = [_files(far / date) for date in DATES]
    orbit = [list(pair) for pair in zip(*dates, strict=True)]
    orbit = [pair for pair in orbit if (pair[0].stem in HELD_OUT_CITIES) == kept_out]
    orbit += _orbits(folder / "labelled", kept_out)
    once = [] if kept_out else [[file] for file in _files(folder / "scenes", "**/*")]
    groups = [(group, False) for group in again] + [(group, True) for group in orbit]
    groups += [(group, False) for group in once + _pictures(folder / "labelled", kept_out)]
    if not groups:
        raise InputError(
            f"{folder}: holds no pictures in revisits/ or scenes/; see docs/default-network.md"
        )
    places = tuple(_place(files, folder, far) for files, far in groups)
    return Library(places, read_towns(folder / "labelled", kept_out=kept_out))


def _training_or_held_out(groups: list[list[Path]], kept_out: bool) -> list[list[Path]]:
    """Every fifth is kept out of what is learnt."""
    return [
        group
        for i, group in enumerate(groups)
        if (i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == kept_out
    ]


def _orbits(labelled: Path, kept_out: bool) -> list[list[Path]]:
    """Pictures of labelled/SET from orbit: two visits, or one."""
    pairs: list[list[Path]] = []
    for place in sorted(labelled.glob("*/time1")):
        pairs += [
            list(both) for both in zip(*(_files(place.parent / d) for d in DATES), strict=True)
        ]
    single = [[file] for file in _files(labelled, "*/single/*")]
    return _training_or_held_out(pairs, kept_out) + _training_or_held_out(single, kept_out)


def _pictures(labelled: Path, kept_out: bool) -> list[list[Path]]:
    """Those of labelled/SET/images, set by set."""
    sets = [[[file] for file in _files(each)] for each in sorted(labelled.glob("*/images"))]
    return [group for each in sets for group in _training_or_held_out(each, kept_out)]


def _files(folder: Path, pattern: str = "*") -> list[Path]:
    return sorted(path for path in folder.glob(pattern) if path.suffix.lower() in SUFFIXES)


def _visits(folder: Path) -> Iterable[list[Path]]:
    """The pictures of each city and index, by year."""
    places: Mapping[tuple[str, str], list[Path]] = defaultdict(list)
    for file in _files(folder):
        city, _, index = file.stem.rsplit("_", 2)
        places[city, index].append(file)
    return places.values()


def _is_kept_out(file: Path) -> bool:
    return file.stem.rsplit("_", 2)[0] in HELD_OUT_CITIES


def _place(files: list[Path], root: Path, far: bool) -> Place:
    visits = [_read(file) for file in files]
    height, width = (min(v.shape[axis] for v in visits) for axis in (0, 1))
    names = tuple(str(file.relative_to(root)) for file in files)
    return Place(tuple(v[:height, :width] for v in visits), names, far)


def _read(file: Path) -> Picture:
    return np.asarray(open_picture(file))[:LARGEST_PX, :LARGEST_PX]
