"""Leaks: chips that two splits of a data set share, or that a split lists twice."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from geochange.dataset.chip_files import FileChips
from geochange.grid.tiling import Window
from geochange.raster.pictures.band_files import path_of
from geochange.training.data.chip_source import ChipSource


@dataclass(frozen=True, slots=True)
class Leak:
    """Chips that two splits share.

    what: "same pixels" of either date, or "same file". chips: pairs of their names in both splits.
    """

    what: str
    splits: tuple[str, str]
    chips: tuple[tuple[str, str], ...]


def same_pixels(
    sources: Mapping[str, ChipSource], prints: Mapping[str, Sequence[tuple[bytes, ...]]]
) -> Iterator[Leak]:
    """Chips of different splits that share a picture, at the same or the other date.

    prints: for each chip of a split, hashes of its pictures.
    """
    where = {
        split: {told: number for number, chip in enumerate(chips) for told in chip}
        for split, chips in prints.items()
    }
    for first, second in combinations(prints, 2):
        pairs = {
            number: where[first][told]
            for number, chip in enumerate(prints[second])
            for told in chip
            if told in where[first]
        }
        if pairs:
            names = ((sources[first].name(a), sources[second].name(b)) for b, a in pairs.items())
            yield Leak("same pixels", (first, second), tuple(names))


def same_files(sources: Mapping[str, ChipSource]) -> Iterator[Leak]:
    """Chips that are listed twice, in one split or in two."""
    listed: dict[tuple[str, Window | None], tuple[str, str]] = {}
    leaks: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for split, source in sources.items():
        if not isinstance(source, FileChips):
            continue
        for number, record in enumerate(source.records):
            name = source.name(number)
            place = (os.path.realpath(path_of(record.before)), record.window)
            earlier = listed.setdefault(place, (split, name))
            if earlier != (split, name):
                leaks.setdefault((earlier[0], split), []).append((earlier[1], name))
    for splits, chips in leaks.items():
        yield Leak("same file", splits, tuple(chips))
