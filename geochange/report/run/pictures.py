"""Pictures of a pair: any window, with one stretch for both dates, at a bounded cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Pixels
from geochange.grid.tiling import Window
from geochange.raster.pair import RasterPair
from geochange.raster.pictures.overview import Overview, read_overview, small_shape
from geochange.raster.pictures.thumbnail import SHOWN_BANDS
from geochange.raster.scene.radiometry import UNCHANGED, Radiometry, Stretch, percentile_stretch
from geochange.raster.warped_raster import WarpedRaster

NO_DATA_GREY = 230
"""The brightness of pixels without data."""

Overviews = tuple[Overview, Overview]

CLIP_IQR = 2.5
"""Values are clipped at this many interquartile ranges from the median."""


SHOWN_PERCENTILES = (1, 25, 50, 75, 99)


@dataclass(frozen=True)
class DatePhotos:
    """Both dates of a window, (height, width, 3) uint8 each; they may be smaller than `shape`.

    sparse: whether they show samples only.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    shape: tuple[int, int]
    sparse: bool = False


@dataclass(frozen=True)
class PictureReader:
    """Reads windows of a pair with one stretch."""

    pair: RasterPair
    radiometry: Radiometry

    def at(self, window: Window, longest_px: int) -> DatePhotos:
        """Both dates of a window, its longer side at most `longest_px`.

        Raises RunError if a raster is gone.
        """
        return self.all_at([window], longest_px)[0]

    def all_at(self, windows: Sequence[Window], longest_px: int) -> list[DatePhotos]:
        """Both dates of each window, read by one thread per date; see `at`.

        A thread of its own for each window would open PROJ's database as often, which takes longer
        than to read a small window.
        """
        look = partial(_overviews, windows=windows, longest_px=longest_px)
        both = zip(*self.pair.each(look), strict=True)
        shapes = [small_shape(window, longest_px) for window in windows]
        return [self.of(seen, shape) for seen, shape in zip(both, shapes, strict=True)]

    def of(self, overviews: Overviews, shape: tuple[int, int]) -> DatePhotos:
        """Both dates from overviews that were read before, for a picture of `shape` (rows, cols)."""
        before, after = self.radiometry.apply(*(each.pixels for each in overviews))
        sparse = overviews[0].sparse or overviews[1].sparse
        return DatePhotos(_photo(before, overviews[0]), _photo(after, overviews[1]), shape, sparse)


def read_overviews(pair: RasterPair, window: Window, longest_px: int) -> Overviews:
    """Overviews of both dates, of the bands that are shown. Raises RunError if a raster is gone."""
    (before,), (after,) = pair.each(partial(_overviews, windows=[window], longest_px=longest_px))
    return before, after


def _overviews(date: WarpedRaster, windows: Sequence[Window], longest_px: int) -> list[Overview]:
    seen = (read_overview(date, window, longest_px) for window in windows)
    return [replace(each, pixels=each.pixels[..., :SHOWN_BANDS]) for each in seen]


def read_pictures(pair: RasterPair, whole: Callable[[], Overviews]) -> PictureReader:
    """A reader of the pair; pictures deeper than 8 bits are stretched by percentiles of the scene.

    whole: gives overviews of both dates; it is called only where a stretch needs them. Two dates of
    one type share a stretch. Raises what `whole` raises.
    """
    kinds = [date.dtype for date in (pair.before, pair.after)]
    if all(kind == np.uint8 for kind in kinds):
        return PictureReader(pair, UNCHANGED)
    values = [each.pixels[each.valid].astype(np.float32) for each in whole()]
    if kinds[0] == kinds[1]:
        values = [np.concatenate(values)] * 2
    before, after = (
        None if kind == np.uint8 else display_stretch(value)
        for kind, value in zip(kinds, values, strict=True)
    )
    return PictureReader(pair, Radiometry(before, after))


def display_stretch(values: NDArray[np.float32]) -> Stretch:
    """A stretch of (pixel, band) values for display; clouds may saturate, so that land is visible."""
    if len(values) == 0:
        return percentile_stretch(values)
    ranges = [_display_range(values[:, band]) for band in range(values.shape[1])]
    return Stretch(tuple(low for low, _ in ranges), tuple(high for _, high in ranges))


def _display_range(values: NDArray[np.float32]) -> tuple[float, float]:
    """The values of a band that become black and white."""
    found = np.percentile(values, SHOWN_PERCENTILES)
    # Equal percentiles are a fill that no file declares. With it the ground would have no contrast.
    others = values[~np.isin(values, found[:-1][np.diff(found) == 0])]
    if len(others):
        ground = np.percentile(others, SHOWN_PERCENTILES)
        if np.diff(ground).all():  # else the band has few values, and none of them is a fill
            found = ground
    low, quarter, middle, most, high = map(float, found)
    reach = CLIP_IQR * (most - quarter)
    return max(low, middle - reach), min(high, middle + reach)


def _photo(pixels: Pixels, overview: Overview) -> NDArray[np.uint8]:
    """An RGB picture of the first three bands, or of the first as grey."""
    bands = pixels if pixels.shape[-1] == SHOWN_BANDS else pixels[..., [0, 0, 0]]
    photo = np.clip(np.nan_to_num(bands), 0, 255).astype(np.uint8)
    photo[~overview.valid] = NO_DATA_GREY
    return np.asarray(photo)
