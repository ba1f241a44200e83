"""Photos of a pair for people to look at: any window, toned alike, at a bounded cost."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Pixels
from geochange.grid.tiling import Window
from geochange.raster.pair import Pair
from geochange.raster.pictures.overview import Glance, glance, small_shape
from geochange.raster.pictures.thumbnail import SHOWN_BANDS
from geochange.raster.scene.radiometry import AS_IT_IS, Radiometry, Stretch, spread

NOWHERE = 230
"""How bright the picture is where there is no data."""

Glances = tuple[Glance, Glance]

REACH = 2.5
"""What lies further from the middle than so many times the spread of the middle half is cut off."""


@dataclass(frozen=True)
class Photos:
    """Both dates of a window, (height, width, 3) uint8 each; they may be smaller than `shape`.

    sparse: whether they show samples only.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    shape: tuple[int, int]
    sparse: bool = False


@dataclass(frozen=True)
class Look:
    """A pair, and how its numbers become colours."""

    pair: Pair
    toning: Radiometry

    def at(self, window: Window, longest_px: int) -> Photos:
        """A window, its longer side `longest_px` at most. Raises RunError if a raster is gone."""
        return self.of(glance_at(self.pair, window, longest_px), small_shape(window, longest_px))

    def of(self, seen: Glances, shape: tuple[int, int]) -> Photos:
        """What was seen of both dates already, to be shown as (rows, cols) of `shape`."""
        before, after = self.toning.apply(*(each.pixels for each in seen))
        sparse = seen[0].sparse or seen[1].sparse
        return Photos(_photo(before, seen[0]), _photo(after, seen[1]), shape, sparse)


def glance_at(pair: Pair, window: Window, longest_px: int) -> Glances:
    """A glance at both dates, of what is shown of them. Raises RunError if a raster is gone."""
    before, after = pair.each(partial(glance, window=window, longest_px=longest_px))
    return _shown(before), _shown(after)


def _shown(seen: Glance) -> Glance:
    return replace(seen, pixels=seen.pixels[..., :SHOWN_BANDS])


def look_at(pair: Pair, whole: Callable[[], Glances]) -> Look:
    """How to look at a pair: 8-bit pictures as they are, others by percentiles of what all is like.

    whole: gives a glance at all of both dates, and is asked only where it matters. Two dates of one
    type are toned alike. Raises what `whole` does.
    """
    kinds = [date.dtype for date in (pair.before, pair.after)]
    if all(kind == np.uint8 for kind in kinds):
        return Look(pair, AS_IT_IS)
    values = [each.pixels[each.valid].astype(np.float32) for each in whole()]
    if kinds[0] == kinds[1]:
        values = [np.concatenate(values)] * 2
    before, after = (
        None if kind == np.uint8 else tone(value) for kind, value in zip(kinds, values, strict=True)
    )
    return Look(pair, Radiometry(before, after))


def tone(values: NDArray[np.float32]) -> Stretch:
    """A stretch of (pixel, band) values for the eye: clouds may turn white, for the land to be seen."""
    if len(values) == 0:
        return spread(values)
    low, quarter, middle, most, high = np.percentile(values, (1, 25, 50, 75, 99), axis=0)
    reach = REACH * (most - quarter)
    return Stretch(
        tuple(np.maximum(low, middle - reach).tolist()),
        tuple(np.minimum(high, middle + reach).tolist()),
    )


def _photo(pixels: Pixels, seen: Glance) -> NDArray[np.uint8]:
    """Three colours of a picture: its first three bands, or its first as grey."""
    bands = pixels if pixels.shape[-1] == SHOWN_BANDS else pixels[..., [0, 0, 0]]
    photo = np.clip(np.nan_to_num(bands), 0, 255).astype(np.uint8)
    photo[~seen.valid] = NOWHERE
    return np.asarray(photo)
