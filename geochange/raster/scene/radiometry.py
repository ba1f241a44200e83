"""Radiometry: maps the values of a raster to 8 bits, in the same way for the whole scene."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Pixels
from geochange.errors import OptionError
from geochange.raster.scene.decibels import UNITS, Decibels, DecibelScale

PERCENTILES = (0.5, 99.5)
"""The percentiles that become 0 and 255. The tails are clouds, glints and shadow."""

MODES = ("auto", "joint", "per-date", "none")

MODES_KEEPING_8BIT = ("auto", "joint")
"""The modes that leave 8-bit rasters unchanged."""

MATCH_MODES = ("none", "histogram")
"""The ways to match the values of `after` to those of `before`."""

RANKS = 65
"""The number of knots of a match, from the smallest value to the largest."""

ENOUGH_PX = 2**20
"""The approximate number of pixels from which a match is computed."""


def working_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The float dtype of a stretch: float32, or float64 if float32 would lose digits."""
    return np.result_type(dtype, np.float32)


@dataclass(frozen=True)
class Stretch:
    """A linear map per band from `low` and `high` to 0 and 255. Values beyond are clipped."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def apply(self, pixels: Pixels) -> NDArray[np.uint8]:
        """(height, width, band) of any dtype to uint8; NaN becomes 0."""
        working = working_dtype(pixels.dtype)
        low = np.asarray(self.low, working)
        span = np.maximum(np.asarray(self.high, working) - low, np.finfo(np.float32).tiny)
        # In a constant band all values beyond its ends overflow. They are clipped like others.
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = (pixels.astype(working) - low) * (working.type(255) / span)
        scaled = np.nan_to_num(scaled, copy=False, nan=0.0, posinf=255.0, neginf=0.0)
        return np.asarray(np.rint(np.clip(scaled, 0, 255)), dtype=np.uint8)


@dataclass(frozen=True)
class Match:
    """A monotonic map per band from values of `after` to the values with equal rank in `before`.

    after, before: knots by band. The map is linear between knots, and constant beyond them.
    """

    after: tuple[tuple[float, ...], ...]
    before: tuple[tuple[float, ...], ...]

    def apply(self, pixels: Pixels) -> NDArray[np.float32]:
        """(..., band) of any dtype to float32, on the scale of `before`; NaN stays."""
        matched = np.empty(pixels.shape, np.float32)
        for band, knots in enumerate(zip(self.after, self.before, strict=True)):
            matched[..., band] = np.interp(pixels[..., band], *knots)
        return matched


@dataclass(frozen=True)
class Radiometry:
    """The stretch of each date; None leaves its values unchanged.

    match: is applied to `after` before its stretch. decibels: the scale of each date, of radar; it is
    applied before the stretch.
    """

    before: Stretch | None
    after: Stretch | None
    match: Match | None = None
    decibels: tuple[DecibelScale, DecibelScale] | None = None

    def apply(self, before: Pixels, after: Pixels) -> tuple[Pixels, Pixels]:
        """Both dates in one dtype: uint8 if both are 8-bit, else float32."""
        if self.match is not None:
            after = self.match.apply(after)
            if self.after is None and before.dtype == np.uint8:
                after = np.nan_to_num(np.rint(after)).astype(np.uint8)
        if self.decibels is not None:
            before, after = self.decibels[0].apply(before), self.decibels[1].apply(after)
        first = before if self.before is None else self.before.apply(before)
        second = after if self.after is None else self.after.apply(after)
        if first.dtype == second.dtype == np.uint8:
            return first, second
        return (
            np.nan_to_num(first.astype(np.float32), copy=False, posinf=0.0, neginf=0.0),
            np.nan_to_num(second.astype(np.float32), copy=False, posinf=0.0, neginf=0.0),
        )


UNCHANGED = Radiometry(None, None)


StretchMode = str | Stretch | Decibels
"""A mode of MODES, a fixed stretch, or radar."""


def parse_stretch(text: str) -> StretchMode:
    """A mode of MODES, a Stretch from LOW,HIGH in the raster's own units, or the Decibels of UNITS.

    Raises OptionError.
    """
    if text in MODES:
        return text
    if text in UNITS:
        return Decibels(UNITS[text])
    try:
        low, high = (float(word) for word in text.split(","))
    except ValueError:
        raise OptionError(
            f"--stretch {text}: not one of {', '.join((*MODES, *UNITS))} or LOW,HIGH such as 0,3000"
        ) from None
    if not (np.isfinite([low, high]).all() and low < high):
        raise OptionError(f"--stretch {text}: LOW must be below HIGH, as in 0,3000")
    return Stretch((low,), (high,))


def match_ranks(before: NDArray[Any], after: NDArray[Any]) -> Match | None:
    """The match of two samples (pixel, band) of the same pixels; None without pixels.

    Histogram matching (Gonzalez and Woods, Digital Image Processing, 3.3.2) as one map for the whole
    scene. It assumes that most of the scene is unchanged.
    """
    if len(before) == 0:
        return None
    ranks = np.linspace(0, 1, RANKS)
    step = -(-len(before) // ENOUGH_PX)
    there, here = (
        np.quantile(values[::step].astype(np.float64), ranks, axis=0).T
        for values in (before, after)
    )
    knots = [_strictly_increasing(x, y) for x, y in zip(here, there, strict=True)]
    return Match(tuple(x for x, _ in knots), tuple(y for _, y in knots))


def _strictly_increasing(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Each distinct x once, with the mean of its y values."""
    numbers, place = np.unique(x, return_inverse=True)
    means = np.bincount(place, y) / np.bincount(place)
    return tuple(numbers.tolist()), tuple(means.tolist())


def choose_radiometry(
    mode: StretchMode, before: Sampled, after: Sampled, *, match: Match | None = None
) -> Radiometry:
    """The radiometry of a scene, from a sample of each date.

    "auto" leaves 8-bit rasters unchanged. It stretches each other date by its own percentiles, because
    haze and season differ. "joint" uses the percentiles of both dates together, so that equal values
    stay equal; dates of different dtypes are stretched as with "auto". "per-date" also stretches 8-bit
    rasters. With a match, `after` has the values and the dtype of `before`. Decibels have one stretch for
    both dates, or none.
    """
    if match is not None:
        matched = Sampled(match.apply(after.values), before.dtype)
        return replace(choose_radiometry(mode, before, matched), match=match)
    if isinstance(mode, Stretch):
        return Radiometry(mode, mode)
    if isinstance(mode, Decibels):
        return _in_decibels(mode, before, after)
    if mode == "none" or (mode in MODES_KEEPING_8BIT and before.is_8bit and after.is_8bit):
        return UNCHANGED
    if mode == "joint" and before.dtype == after.dtype:
        both = percentile_stretch(np.concatenate([before.values, after.values]))
        return Radiometry(both, both)
    keep_8bit = mode in MODES_KEEPING_8BIT
    return Radiometry(
        None if keep_8bit and before.is_8bit else percentile_stretch(before.values),
        None if keep_8bit and after.is_8bit else percentile_stretch(after.values),
    )


def _in_decibels(mode: Decibels, before: Sampled, after: Sampled) -> Radiometry:
    scales = mode.scales(before.values, after.values)
    if mode.as_float:
        return Radiometry(None, None, decibels=scales)
    values = [scales[0].apply(before.values), scales[1].apply(after.values)]
    both = percentile_stretch(np.concatenate(values))
    return Radiometry(both, both, decibels=scales)


def is_determined_by_dtype(mode: StretchMode, before: np.dtype[Any], after: np.dtype[Any]) -> bool:
    """Whether the dtypes alone determine the radiometry, so that no pixels need be sampled."""
    if isinstance(mode, Decibels):
        return False
    if isinstance(mode, Stretch) or mode == "none":
        return True
    return mode in MODES_KEEPING_8BIT and before == after == np.uint8


@dataclass(frozen=True)
class Sampled:
    """Valid pixels of one date (pixel, band), spread over the scene.

    dtype: that of the raster; a warp may return another.
    """

    values: NDArray[Any]
    dtype: np.dtype[Any]

    @property
    def is_8bit(self) -> bool:
        """Whether the raster is uint8."""
        return self.dtype == np.uint8


def percentile_stretch(values: NDArray[Any]) -> Stretch:
    """The stretch between PERCENTILES of (pixel, band) values; 0..1 without pixels."""
    if len(values) == 0:
        count = values.shape[1]
        return Stretch((0.0,) * count, (1.0,) * count)
    low, high = np.percentile(values.astype(np.float64), PERCENTILES, axis=0)
    return Stretch(tuple(map(float, low)), tuple(map(float, high)))
