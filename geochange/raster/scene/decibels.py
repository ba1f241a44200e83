"""Decibels: backscatter of a radar on the scale on which its noise has one size everywhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from geochange.errors import InputError

Unit = Literal["auto", "linear", "decibels"]

UNITS: dict[str, Unit] = {"db": "auto", "db:linear": "linear", "db:decibels": "decibels"}
"""The values of `--stretch` for radar, and the unit of the rasters that each declares."""

DARKEST_PERCENTILE, DARK_VALUE = 5.0, -1.0
"""Values are decibels if this percentile of them is below DARK_VALUE. Power never is: where noise was
subtracted it is only slightly negative. Every scene in decibels has pixels below -1 dB."""

LOWEST_PERCENTILE, BELOW_LOWEST_DB = 0.5, 10.0
"""The least value: so far below this percentile of the scene. Power of zero has no logarithm."""


@dataclass(frozen=True)
class DecibelScale:
    """The map of one date to decibels: 10 log10 of power, or the values as they are.

    linear: whether the values are power. lowest: by band, in decibels; lower values, zeros and negative
    power become this.
    """

    linear: bool
    lowest: tuple[float, ...]

    def apply(self, pixels: NDArray[Any]) -> NDArray[np.float32]:
        """(..., band) of any dtype to float32 decibels; NaN becomes the lowest value."""
        values = _decibels(pixels) if self.linear else pixels.astype(np.float32)
        return np.fmax(values, np.asarray(self.lowest, np.float32))


@dataclass(frozen=True)
class Decibels:
    """How a pair is brought to decibels: the unit of its values, and what comes out.

    as_float: float32 decibels; otherwise 0-255 between percentiles of both dates together.
    """

    unit: Unit = "auto"
    as_float: bool = False

    def scales(
        self, before: NDArray[Any], after: NDArray[Any]
    ) -> tuple[DecibelScale, DecibelScale]:
        """The map of each date, from samples (pixel, band) of both.

        The unit is found for each date by itself; the lowest value is common to both, so that equal
        backscatter stays equal.
        """
        linear = [self._is_linear(values) for values in (before, after)]
        raw = [DecibelScale(each, (-np.inf,) * before.shape[1]) for each in linear]
        both = [scale.apply(values) for scale, values in zip(raw, (before, after), strict=True)]
        lowest = _lowest(np.concatenate(both))
        first, second = (replace(scale, lowest=lowest) for scale in raw)
        return first, second

    def _is_linear(self, values: NDArray[Any]) -> bool:
        if self.unit != "auto":
            return self.unit == "linear"
        finite = values[np.isfinite(values)]
        return not finite.size or bool(np.percentile(finite, DARKEST_PERCENTILE) > DARK_VALUE)


def refuse_8bit(path: str, dtype: np.dtype[Any], mode: object) -> None:
    """Refuse to look for the unit of 8-bit values, which name none. Raises InputError."""
    if isinstance(mode, Decibels) and mode.unit == "auto" and dtype == np.uint8:
        raise InputError(
            f"{path}: is 8-bit, which is neither power nor decibels of a radar; give its calibrated "
            "values, or, where both dates are decibels scaled alike, say --stretch db:decibels"
        )


def _decibels(power: NDArray[Any]) -> NDArray[np.float32]:
    with np.errstate(divide="ignore", invalid="ignore"):
        found = 10 * np.log10(power.astype(np.float32))
    return np.asarray(np.where(np.isnan(found), -np.inf, found), np.float32)


def _lowest(values: NDArray[np.float32]) -> tuple[float, ...]:
    """By band; 0 for a band without any value."""
    lowest = []
    for band in range(values.shape[1]):
        found = values[np.isfinite(values[:, band]), band].astype(np.float64)
        least = np.percentile(found, LOWEST_PERCENTILE) - BELOW_LOWEST_DB if found.size else 0.0
        lowest.append(float(least))
    return tuple(lowest)
