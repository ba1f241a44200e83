"""Unchanged pairs: each aerial visit and the next, between which hardly anything changed."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from geochange.chip import Chip
from geochange.training.planting.library import Library


def unchanged(library: Library, most: int) -> list[Chip]:
    """At most `most` pairs, spread over the places; every pixel is labelled 0."""
    near = [place for place in library.places if not place.far and len(place.visits) > 1]
    pairs = [pair for place in near for pair in pairwise(place.visits)]
    chosen = np.linspace(0, len(pairs) - 1, min(most, len(pairs))).round().astype(int)
    return [_chip(*pairs[i]) for i in chosen]


def _chip(before: np.ndarray, after: np.ndarray) -> Chip:
    shape = before.shape[:2]
    return Chip(before, after, np.ones(shape, np.bool_), np.zeros(shape, np.uint8))
