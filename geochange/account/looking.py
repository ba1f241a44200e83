"""Photos of a pair for people to look at: any window, toned alike, at a bounded cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Pixels
from geochange.geo.align import Pair
from geochange.geo.glance import Glance, glance, small_shape
from geochange.geo.radiometry import AS_IT_IS, Radiometry, Stretch, spread
from geochange.geo.tiling import Window

NOWHERE = 230
"""How bright the picture is where there is no data."""

RGB = 3

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
        seen = self.pair.each(partial(glance, window=window, longest_px=longest_px))
        before, after = self.toning.apply(*(each.pixels for each in seen))
        shape = small_shape(window, longest_px)
        sparse = seen[0].sparse or seen[1].sparse
        return Photos(_photo(before, seen[0]), _photo(after, seen[1]), shape, sparse)


def look_at(pair: Pair, longest_px: int) -> Look:
    """How to look at a pair: 8-bit pictures as they are, others by percentiles of a glance at all.

    Two dates of one type are toned alike. Raises RunError if a raster is gone.
    """
    kinds = [date.info.dtype for date in (pair.before, pair.after)]
    if all(kind == np.uint8 for kind in kinds):
        return Look(pair, AS_IT_IS)
    seen = pair.each(partial(glance, window=pair.grid.whole, longest_px=longest_px))
    values = [each.pixels[each.valid].astype(np.float32) for each in seen]
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
    bands = pixels[..., :RGB] if pixels.shape[-1] >= RGB else pixels[..., [0, 0, 0]]
    photo = np.clip(np.nan_to_num(bands), 0, 255).astype(np.uint8)
    photo[~seen.valid] = NOWHERE
    return np.asarray(photo)
