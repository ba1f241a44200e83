"""Band statistics: the names of the bands of a split, and the mean and deviation of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.dataset.chip_files import FileChips
from geochange.dataset.labelled_pairs import PairChips
from geochange.dataset.open_split import map_threaded
from geochange.errors import InputError
from geochange.raster.pictures.band_files import BandFiles, describe_any
from geochange.training.data.chip_source import ChipSource

MOST_CHIPS = 4096
"""The most chips of a split that are measured, evenly spread over it."""


@dataclass(frozen=True, slots=True)
class BandStatistics:
    """The bands of a split: mean and std of the valid pixels of both dates."""

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


def band_statistics(source: ChipSource) -> BandStatistics:
    """Measure the bands of a split. A constant band has a deviation of 1.

    Raises InputError for a split without any valid pixel, and for chips that cannot be read.
    """
    count = len(source)
    chosen = np.linspace(0, count - 1, min(count, MOST_CHIPS)).round().astype(int).tolist()
    pixels, mean, squares = 0, np.zeros(0), np.zeros(0)
    for number, of_chip, spread in map_threaded(lambda n: _moments(source[n]), chosen):
        if not number:
            continue
        if not pixels:
            pixels, mean, squares = number, of_chip, spread
            continue
        # Chan, Golub and LeVeque (1983): sums of squares around a mean lose no digits.
        apart, total = of_chip - mean, pixels + number
        mean = mean + apart * (number / total)
        squares = squares + spread + apart**2 * (pixels * number / total)
        pixels = total
    if not pixels:
        raise InputError("no chip of the split holds a valid pixel; check nodata and masks")
    std = np.sqrt(squares / pixels)
    std[std == 0] = 1.0
    names, numbers = _bands_of(source, len(mean))
    return BandStatistics(names, numbers, tuple(mean.tolist()), tuple(std.tolist()))


def _moments(chip: Chip) -> tuple[int, NDArray[np.float64], NDArray[np.float64]]:
    """The number of pixels of both dates, their mean, and their squares around it, by band."""
    values = np.concatenate([date[chip.valid] for date in (chip.before, chip.after)])
    if not len(values):
        return 0, np.zeros(0), np.zeros(0)
    mean = values.mean(axis=0, dtype=np.float64)
    return len(values), mean, ((values - mean) ** 2).sum(axis=0)


def _bands_of(source: ChipSource, count: int) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """The names and numbers of the bands; a band without a name is called by its number."""
    said: dict[int, str] = {}
    numbers: tuple[int, ...] = tuple(range(1, count + 1))
    if isinstance(source, FileChips):
        picture = source.records[0].before
        known = describe_any(picture)
        names = [f.stem for f in picture.files] if isinstance(picture, BandFiles) else known.names
        said = dict(zip(known.bands, names, strict=True))
        numbers = source.bands or numbers
    elif isinstance(source, PairChips):
        date = source.scenes[0].pair.before
        numbers = date.bands
        said = {number: date.info.bands[number - 1].name for number in numbers}
    return tuple(said.get(number) or f"band {number}" for number in numbers), numbers
