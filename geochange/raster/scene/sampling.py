"""The scene sample: full-resolution windows spread over the pair, read once before tiling.

It uses whole windows, not a downsampled image. So texture, noise and smoothing are measured as the
tiles will show them, and a huge raster without overviews is not read completely.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip, fill_invalid
from geochange.grid.tiling import Window
from geochange.raster.access.unreadable_areas import UnreadableAreas
from geochange.raster.pair import RasterPair
from geochange.raster.scene.radiometry import (
    Radiometry,
    Sampled,
    StretchMode,
    choose_radiometry,
    is_determined_by_dtype,
    match_ranks,
)
from geochange.raster.scene.undeclared_nodata import (
    Fill,
    Scans,
    can_mask_fills,
    describe_fills,
    masked_fills,
    scan_bands,
)
from geochange.raster.valid_pixels import valid_by_value, valid_values, zero_invalid
from geochange.raster.warped_raster import WarpedRaster
from geochange.vector.aoi import AreaOfInterest

logger = logging.getLogger(__name__)

WINDOW_PX = 256
WINDOWS_PER_AXIS = 8
MAX_VALUES = WINDOWS_PER_AXIS**2 * WINDOW_PX**2 * 4
"""The largest number of values that are sampled per date. More bands mean fewer windows."""

REPORT_ONLY_STEP = 4
"""If fills of a warped date can only be reported, one of this number of windows is scanned."""


@dataclass(frozen=True)
class RawWindow:
    """One window of one date: (height, width, band) values of the raster, and their validity."""

    pixels: NDArray[Any]
    valid: NDArray[np.bool_]


@dataclass(frozen=True)
class _SampledDate:
    """The windows of a date, and the scans of its bands."""

    windows: tuple[RawWindow, ...]
    scans: Scans


@dataclass(frozen=True)
class SceneSample:
    """The same windows of both dates, without a stretch. They are read on first use.

    If a network uses 8-bit pixels unchanged, nothing is read.
    skip_unreadable: whether unreadable pixels are skipped; otherwise they raise UnreadableError.
    area: limits the sample; None is the whole pair.
    found: the fills, if they are already known and applied to the pair.
    """

    pair: RasterPair
    skip_unreadable: bool = False
    area: AreaOfInterest | None = None
    found: tuple[Fill, ...] | None = None
    _lost: tuple[set[Window], set[Window]] = field(
        default_factory=lambda: (set(), set()), repr=False, compare=False
    )

    @property
    def before(self) -> tuple[RawWindow, ...]:
        """The windows at the date before."""
        return self._both[0].windows

    @property
    def after(self) -> tuple[RawWindow, ...]:
        """The windows at the date after."""
        return self._both[1].windows

    @property
    def fills(self) -> tuple[Fill, ...]:
        """The fills of both dates."""
        return describe_fills(self.pair, self._scans) if self.found is None else self.found

    def with_fills_masked(self) -> SceneSample:
        """The sample of the pair in which fills count as missing; the same sample without fills.

        Nothing is read if the dtypes of the dates allow no fills.
        """
        dates = self.pair.before, self.pair.after
        if self.found is not None or not any(can_mask_fills(date) for date in dates):
            return self
        taken = masked_fills(self._scans)
        if not any(taken):
            return self
        before, after = (
            replace(date, info=date.info.with_fills(fills))
            for date, fills in zip(dates, taken, strict=True)
        )
        return replace(self, pair=RasterPair(before, after, self.pair.grid), found=self.fills)

    @property
    def _scans(self) -> tuple[Scans, Scans]:
        return self._both[0].scans, self._both[1].scans

    @cached_property
    def _both(self) -> tuple[_SampledDate, _SampledDate]:
        return self.pair.each(self._read, self._lost)

    @cached_property
    def windows(self) -> list[Window]:
        """The windows of the sample."""
        return sample_windows(self.pair.grid.shape, len(self.pair.before.bands), self.area)

    def _read(self, date: WarpedRaster, lost: set[Window]) -> _SampledDate:
        if self.found is not None or date.offset_px is None:
            with date.reader(lost if self.skip_unreadable else None) as read:
                windows = tuple(
                    self._limited(window, RawWindow(*read(window))) for window in self.windows
                )
            return _SampledDate(windows, () if self.found is not None else _scan_unwarped(date))
        with replace(date, raw=True).reader(lost if self.skip_unreadable else None) as read:
            raw = [self._limited(window, RawWindow(*read(window))) for window in self.windows]
        scans = scan_bands(date, [(each.pixels, each.valid) for each in raw])
        return _SampledDate(tuple(_masked_window(date, each) for each in raw), scans)

    def _limited(self, window: Window, read: RawWindow) -> RawWindow:
        if self.area is None:
            return read
        return RawWindow(read.pixels, read.valid & self.area.mask(window))

    def nodata_shares(self) -> tuple[float, float]:
        """The share of sampled pixels without data, at each date."""
        meant = sum(
            window.pixels if self.area is None else int(self.area.mask(window).sum())
            for window in self.windows
        )
        before, after = (
            1 - sum(int(window.valid.sum()) for window in windows) / max(1, meant)
            for windows in (self.before, self.after)
        )
        return before, after

    @property
    def unreadable(self) -> UnreadableAreas:
        """The unreadable areas of the windows that were read so far."""
        return UnreadableAreas.of(*self._lost)

    def pixels(self) -> tuple[Sampled, Sampled]:
        """Valid pixels (pixel, band) of each date."""
        dates = (self.pair.before, self.before), (self.pair.after, self.after)
        before, after = (Sampled(_valid(windows), date.dtype) for date, windows in dates)
        return before, after

    def valid_at_both(self) -> tuple[NDArray[Any], NDArray[Any]]:
        """The pixels (pixel, band) that are valid at both dates."""
        both = [one.valid & two.valid for one, two in zip(self.before, self.after, strict=True)]
        before, after = (
            np.concatenate(
                [valid_values(w.pixels, valid) for w, valid in zip(windows, both, strict=True)]
            )
            for windows in (self.before, self.after)
        )
        return before, after

    def radiometry(self, mode: StretchMode, match: str = "none") -> Radiometry:
        """The radiometry of the scene. Pixels are read only if it depends on them.

        match: one of MATCH_MODES.
        """
        if match == "histogram":
            return choose_radiometry(mode, *self.pixels(), match=match_ranks(*self.valid_at_both()))
        dates = self.pair.before, self.pair.after
        if not is_determined_by_dtype(mode, *(date.dtype for date in dates)):
            return choose_radiometry(mode, *self.pixels())
        unread = (Sampled(np.empty((0, len(date.bands))), date.dtype) for date in dates)
        return choose_radiometry(mode, *unread)

    def chips(self, radiometry: Radiometry) -> Sequence[Chip]:
        """The windows as chips for a model, without those that have no valid pixel.

        They are created on first use, because most models do not need them.
        """
        return _Chips(self, radiometry)


@dataclass(frozen=True)
class _Chips(Sequence[Chip]):
    sample: SceneSample
    radiometry: Radiometry

    @cached_property
    def _made(self) -> list[Chip]:
        chips = []
        for before, after in zip(self.sample.before, self.sample.after, strict=True):
            first, second = self.radiometry.apply(before.pixels, after.pixels)
            chip = fill_invalid(first, before.valid, second, after.valid)
            if chip.valid.any():
                chips.append(chip)
        return chips

    def __len__(self) -> int:
        return len(self._made)

    @overload
    def __getitem__(self, index: int) -> Chip: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[Chip]: ...

    def __getitem__(self, index: int | slice) -> Chip | Sequence[Chip]:
        return self._made[index]


def warn_fills(sample: SceneSample) -> None:
    """Warn of the fills that a sample treats as nodata."""
    for fill in sample.found or ():
        if fill.taken:
            logger.warning("%s", fill)


def _masked_window(date: WarpedRaster, raw: RawWindow) -> RawWindow:
    """A window that was read with `WarpedRaster.raw`, as it is read without `raw`."""
    by_band = np.moveaxis(raw.pixels, -1, 0)
    valid = raw.valid & valid_by_value(by_band, date.info.chosen(date.bands))
    return RawWindow(zero_invalid(raw.pixels, valid), valid)


def _scan_unwarped(date: WarpedRaster) -> Scans:
    """The scans of a warped date, from its own pixels, because a warp mixes fills with neighbours."""
    own = replace(date.unwarped, raw=True)
    windows = sample_windows(own.grid.shape, len(own.bands))
    step = 1 if can_mask_fills(date) else REPORT_ONLY_STEP
    lost: set[Window] = set()
    with own.reader(lost, finely=False) as read:
        return scan_bands(date, [read(window) for window in windows[::step]])


def _valid(windows: tuple[RawWindow, ...]) -> NDArray[Any]:
    return np.concatenate([valid_values(window.pixels, window.valid) for window in windows])


def sample_windows(
    shape: tuple[int, int], bands: int, area: AreaOfInterest | None = None
) -> list[Window]:
    """Windows that are evenly spread over a raster, or over an area in it; all of it if it is small."""
    budget = max(1, math.isqrt(MAX_VALUES // (WINDOW_PX**2 * max(4, bands))))
    most = min(WINDOWS_PER_AXIS, budget)
    if area is not None:
        return _windows_of(area, shape, most**2)
    rows, cols = (_window_spans(length, most) for length in shape)
    return [Window(row, col, height, width) for row, height in rows for col, width in cols]


def _windows_of(area: AreaOfInterest, shape: tuple[int, int], most: int) -> list[Window]:
    """At most `most` windows that an area touches, evenly chosen from a grid of windows."""
    rows, cols = (_window_spans(length, length) for length in shape)
    touched: list[Window] = []
    for row, height in rows:
        line = [Window(row, col, height, width) for col, width in cols]
        found = area.touched(line)
        touched += [window for window, here in zip(line, found, strict=True) if here]
    step = max(1.0, len(touched) / most)
    return [touched[int(i * step)] for i in range(min(most, len(touched)))]


def _window_spans(length: int, most: int) -> list[tuple[int, int]]:
    """(start, size) of windows along an axis. They do not overlap."""
    count = -(-length // WINDOW_PX)
    if count <= most:
        edges = [round(i * length / count) for i in range(count + 1)]
        return [(start, stop - start) for start, stop in pairwise(edges)]
    starts = np.linspace(0, length - WINDOW_PX, most).round().astype(int)
    return [(int(start), WINDOW_PX) for start in starts]
