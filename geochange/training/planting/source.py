"""PlantedSource: pairs made on the fly, as numbered chips."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from geochange.chip import Chip
from geochange.training.planting.library import Library, Place, read_library
from geochange.training.planting.pair import Planting, choose_place, plant_pair

SEED_DISTANCE = 1_000_003
"""The distance between the seeds of one source and those of the next."""


@dataclass(frozen=True)
class PlantedSource:
    """Pairs made of the pictures in `root`; a `geochange.training.data.chip_source.ChipSource`.

    kept_out: use only the cities kept out for selection. Each process reads the pictures once, or
    inherits them from its parent process.
    """

    root: Path
    planting: Planting
    count: int
    seed: int
    kept_out: bool

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, number: int) -> Chip:
        """A pair with its label. Raises InputError for a picture that cannot be read."""
        return plant_pair(self.library, self.planting, self._seed(number))

    def pictures(self, number: int) -> tuple[str, str]:
        """The files of the two visits that a pair is made of."""
        draw = np.random.default_rng(self._seed(number))
        place, (before, after), _ = choose_place(self.library, self.planting, draw)
        return place.names[before], place.names[after]

    def name(self, number: int) -> str:
        """The number of the pair as its name."""
        return f"planted_{number:0{len(str(self.count))}}"

    def places(self) -> tuple[Place, ...]:
        """All places, with the names of their visits."""
        return self.library.places

    def fingerprint(self) -> str:
        """A fingerprint of the pairs, computed without making them."""
        files = [(place.names, place.visits[0].shape) for place in self.library.places]
        told = repr((files, self.planting, self.count, self.seed, self.kept_out))
        return hashlib.blake2b(told.encode(), digest_size=16).hexdigest()

    @cached_property
    def library(self) -> Library:
        """The pictures. Raises InputError where there are none."""
        return read_library(self.root, kept_out=self.kept_out)

    def _seed(self, number: int) -> int:
        return (2 * self.seed + self.kept_out) * SEED_DISTANCE**2 + number
