"""The scene sample: full-resolution windows spread over the pair, read once before tiling.

Whole windows rather than a thinned-out picture, so that what is measured on them (texture, noise,
the effect of smoothing) is what the tiles will show, and so that a huge raster without overviews
is not read from end to end for it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip, fill_invalid
from geochange.geo.align import Date, Pair
from geochange.geo.radiometry import Radiometry, Sampled
from geochange.geo.tiling import Window
from geochange.geo.unreadable import NOTHING, Unreadable

WINDOW_PX = 256
WINDOWS_PER_AXIS = 8
VALUES = WINDOWS_PER_AXIS**2 * WINDOW_PX**2 * 4
"""At most so many numbers are sampled of a date: pictures of many bands get fewer windows."""


@dataclass(frozen=True)
class RawWindow:
    """One sampled window of one date: (height, width, band) numbers of the raster, and validity."""

    pixels: NDArray[Any]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class SceneSample:
    """The same windows of both dates, before any stretch.

    unreadable: what of them could not be read and is invalid.
    """

    before: tuple[RawWindow, ...]
    after: tuple[RawWindow, ...]
    dtypes: tuple[np.dtype[Any], np.dtype[Any]]
    unreadable: Unreadable = NOTHING

    def pixels(self) -> tuple[Sampled, Sampled]:
        """Valid pixels of each date, (pixel, band)."""
        before, after = self.dtypes
        return Sampled(_valid(self.before), before), Sampled(_valid(self.after), after)

    def chips(self, radiometry: Radiometry) -> list[Chip]:
        """The windows as the network will see them; those without a valid pixel are left out."""
        chips = []
        for before, after in zip(self.before, self.after, strict=True):
            first, second = radiometry.apply(before.pixels, after.pixels)
            chip = fill_invalid(first, before.valid, second, after.valid)
            if chip.valid.any():
                chips.append(chip)
        return chips


def _valid(windows: tuple[RawWindow, ...]) -> NDArray[Any]:
    return np.concatenate([window.pixels[window.valid] for window in windows])


def sample_windows(shape: tuple[int, int], bands: int) -> list[Window]:
    """Windows evenly spread over a raster, all of it where it is small."""
    budget = max(1, math.isqrt(VALUES // (WINDOW_PX**2 * max(4, bands))))
    rows, cols = (_spread(length, min(WINDOWS_PER_AXIS, budget)) for length in shape)
    return [Window(row, col, height, width) for row, height in rows for col, width in cols]


def _spread(length: int, most: int) -> list[tuple[int, int]]:
    """(start, size) of windows along an axis; they do not overlap."""
    count = -(-length // WINDOW_PX)
    if count <= most:
        edges = [round(i * length / count) for i in range(count + 1)]
        return [(start, stop - start) for start, stop in pairwise(edges)]
    starts = np.linspace(0, length - WINDOW_PX, most).round().astype(int)
    return [(int(start), WINDOW_PX) for start in starts]


def sample_scene(pair: Pair, spare: bool = False) -> SceneSample:
    """Read the sample of a pair, date by date.

    spare: what cannot be read is left out of the sample; else UnreadableError is raised.
    """
    windows = sample_windows(pair.grid.shape, len(pair.before.bands))
    lost_before, lost_after = set[Window](), set[Window]()
    return SceneSample(
        _read_all(pair.before, windows, lost_before if spare else None),
        _read_all(pair.after, windows, lost_after if spare else None),
        (pair.before.info.dtype, pair.after.info.dtype),
        Unreadable.of(lost_before, lost_after),
    )


def _read_all(date: Date, windows: list[Window], lost: set[Window] | None) -> tuple[RawWindow, ...]:
    with date.reader(lost) as read:
        return tuple(RawWindow(*read(window)) for window in windows)
