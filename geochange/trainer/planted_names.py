"""Class names of planted pairs: those of the images from which they are made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from geochange.chip import Chip
from geochange.models.class_ranking import read_class_namer
from geochange.models.inference.devices import choose_device
from geochange.models.prompts import NAMES_PER_CHIP, Names, published_vocabulary
from geochange.progress import Progress, no_progress
from geochange.training.planting import Place, PlantedSource

STAGE = "prompts"


@dataclass(frozen=True)
class PlantedNames(Sequence[tuple[Names, Names]]):
    """The names of each pair before and after, looked up on demand. by_picture: names by file."""

    source: PlantedSource
    by_picture: Mapping[str, Names]

    def __len__(self) -> int:
        return len(self.source)

    @overload
    def __getitem__(self, number: int) -> tuple[Names, Names]: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[tuple[Names, Names]]: ...

    def __getitem__(
        self, number: int | slice
    ) -> tuple[Names, Names] | Sequence[tuple[Names, Names]]:
        if isinstance(number, slice):
            return [self[each] for each in range(*number.indices(len(self)))]
        before, after = self.source.pictures(number)
        return self.by_picture[before], self.by_picture[after]


def name_planted_pairs(
    source: PlantedSource, clip: str, vocabulary: Names | None, progress: Progress = no_progress
) -> PlantedNames:
    """Ask CLIP once for the names of every image. All pairs from an image share them.

    Planted objects are ignored, because they are small in the image. Raises InputError.
    """
    namer = read_class_namer(clip, vocabulary or published_vocabulary(), choose_device("auto"))
    found: dict[str, Names] = {}
    places = source.places()
    for done, place in enumerate(places, start=1):
        for name, ranking in zip(
            place.names, (both[0] for both in namer.rank(_chips(place))), strict=True
        ):
            found[name] = tuple(each for each, _ in ranking[:NAMES_PER_CHIP])
        progress(STAGE, done, len(places))
    return PlantedNames(source, found)


def _chips(place: Place) -> list[Chip]:
    """Each visit as a pair with itself."""
    return [Chip(v, v, np.ones(v.shape[:2], bool)) for v in place.visits]
