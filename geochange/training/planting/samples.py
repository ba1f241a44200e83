"""Pairs to measure and to teach with: planted ones, and visits between which little changed."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np

from geochange.chip import Chip
from geochange.training.planting.library import Library
from geochange.training.planting.pair import Planting, plant_pair

SIDE_PX = 256
"""The side of planted pairs, twice that of training."""


def planted_chips(library: Library, far: bool, count: int, first_seed: int) -> Iterator[Chip]:
    """Pairs as training makes them, but larger, from consecutive seeds. far: ten metres a pixel."""
    planting = Planting(SIDE_PX, 0.85, float(far), 0.3, 5, 0.2, 0.5, 0.2)
    return (plant_pair(library, planting, first_seed + number) for number in range(count))


def unchanged_chips(library: Library, most: int) -> list[Chip]:
    """At most `most` pairs, spread over the places; every pixel is labelled 0."""
    near = [place for place in library.places if not place.far and len(place.visits) > 1]
    pairs = [pair for place in near for pair in pairwise(place.visits)]
    chosen = np.linspace(0, len(pairs) - 1, min(most, len(pairs))).round().astype(int)
    return [_chip(*pairs[i]) for i in chosen]


def _chip(before: np.ndarray, after: np.ndarray) -> Chip:
    shape = before.shape[:2]
    return Chip(before, after, np.ones(shape, np.bool_), np.zeros(shape, np.uint8))
