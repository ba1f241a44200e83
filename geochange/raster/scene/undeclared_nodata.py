"""Undeclared nodata: values (fills) that mark missing pixels and are not declared in the file.

They are searched once per scene, in the sample of each date, so that all tiles use the same fills. A
fill is the smallest or largest value of a band, has a distance from the others, and covers whole
areas. A usual fill (COMMON_FILLS) need not cover areas if it is WELL_APART.
Some fills are taken as nodata, because no measurement looks like them. The others are only reported:

- Values of `nodata.FILL_LIMIT` or more, and infinities, are never data. Here they are only reported.
- In signed and float bands, the usual fills that are APART from all other values are taken. So is
  any other value that is FAR_APART and that many times larger than the others: below them in signed
  bands, on either side in float bands.
- Every other value that is APART is reported, also if a few pixels lie between it and the others. In
  unsigned bands these are 0, 255, 65535 and the like, which may also be black or saturated.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.formatting import share as in_percent
from geochange.raster.band_metadata import nodata_in_dtype
from geochange.raster.cell_grid import PixelsAndMask
from geochange.raster.gdal_cures import edit_command
from geochange.raster.pair import RasterPair
from geochange.raster.reader import RasterInfo
from geochange.raster.valid_pixels import FILL_LIMIT, valid_values
from geochange.raster.warped_raster import WarpedRaster

COMMON_FILLS = frozenset({-999, -9999, -99999, -999999, -32767, -32768, -(2**31), -(2**31) + 1})
"""The most common fills of programs for signed dtypes."""

APART, WELL_APART, FAR_APART = 0.1, 1.0, 10.0
"""The least distances of a fill from the other values, in multiples of their range."""

FEW_BESIDE = 10
"""A fill has this many times the pixels of all values that are not APART from it."""

LEAST_SHARE, NEAR_SHARE = 0.001, 0.05
"""The least share of the sample that a fill covers; the second of one with other values beside it."""

LEAST_SQUARE_PX = 8
"""A fill covers at least one square of this side."""

LEAST_DISTINCT_VALUES = 16
"""Bands with fewer distinct values are classes or flags, in which every value is data."""

MAX_FILLS = 4
"""The largest number of fills per band."""

RANGE = (1.0, 99.0)
"""The percentiles of the other values that define their range."""

ENOUGH_PX = 2**16
"""The number of pixels from which the range is measured."""


@dataclass(frozen=True)
class Spike:
    """A possible fill of a band. share: of the sampled pixels. taken: whether it counts as nodata."""

    value: float
    share: float
    taken: bool


@dataclass(frozen=True)
class BandScan:
    """The scan of a band of the sample, by its 1-based number.

    low, high: the range of the other values. declared: the nodata value in the file, which must be kept.
    """

    number: int
    dtype: np.dtype[Any]
    spikes: tuple[Spike, ...]
    low: float
    high: float
    declared: float | None

    def distance(self, value: float) -> float:
        """The distance of a value from the other values, in multiples of their range."""
        gap = max(self.low - value, value - self.high)
        return gap / (self.high - self.low) if self.high > self.low else 0.0


@dataclass(frozen=True)
class Fill:
    """A fill of a raster, with the way to declare it.

    value: as text, with the digits of its dtype. bands: 1-based. share: of the sampled pixels.
    taken: whether its pixels count as missing.
    """

    path: str
    value: str
    bands: tuple[int, ...]
    share: float
    taken: bool
    cure: str

    def __str__(self) -> str:
        bands = f"band{'s' if len(self.bands) > 1 else ''} {', '.join(map(str, self.bands))}"
        found = f"{self.path}: {bands} hold{'' if len(self.bands) > 1 else 's'} {self.value} on "
        found += (
            f"{in_percent(self.share)} of the sample, which the file does not declare as nodata"
        )
        if self.taken:
            return f"{found}: treated as nodata; declare it ({self.cure})"
        return (
            f"{found}: compared as data, so it may show as change; if it marks missing pixels, declare "
            f"it ({self.cure})"
        )


Scans = tuple[BandScan, ...]
"""The scans of all compared bands of a date."""


def can_mask_fills(date: WarpedRaster) -> bool:
    """Whether a date has a band whose dtype allows fills to be taken as nodata."""
    return any(band.dtype.kind in "if" for band in date.info.chosen(date.bands))


def scan_bands(date: WarpedRaster, raw: Sequence[PixelsAndMask]) -> Scans:
    """Search for fills in windows that were read with `WarpedRaster.raw`."""
    first = {number: position for position, number in reversed(tuple(enumerate(date.bands)))}
    return tuple(
        _scan(date, number, [(pixels[..., position], valid) for pixels, valid in raw])
        for number, position in sorted(first.items())
    )


Planes = list[tuple[NDArray[Any], NDArray[np.bool_]]]
"""(height, width) values of a band, and where the file declares them valid, by window."""


def _scan(date: WarpedRaster, number: int, planes: Planes) -> BandScan:
    band = date.info.bands[number - 1]
    total = max(1, sum(valid.size for _, valid in planes))
    values = np.concatenate([valid_values(plane, valid) for plane, valid in planes])
    spikes: list[Spike] = []
    if band.dtype.kind == "f":
        with np.errstate(over="ignore"):  # in float16 the limit is an infinity
            beyond = ~(np.abs(values) < values.dtype.type(FILL_LIMIT))
        if beyond.any():
            spikes.append(_overflow_spike(values[beyond], total))
            values = values[~beyond]
    while len(spikes) < MAX_FILLS:
        spike = _spike(band.dtype, values, planes, total)
        if spike is None:
            break
        spikes.append(spike)
        values = values[values != values.dtype.type(spike.value)]
    declares = None if band.nodata is None or np.isnan(band.nodata) else band.nodata
    return BandScan(number, band.dtype, tuple(spikes), *_range(values), declares)


def _overflow_spike(values: NDArray[Any], total: int) -> Spike:
    """The most common of the values that are too large to be data."""
    numbers, counts = np.unique(values, return_counts=True)
    return Spike(float(numbers[counts.argmax()]), len(values) / total, True)


def _spike(dtype: np.dtype[Any], values: NDArray[Any], planes: Planes, total: int) -> Spike | None:
    """The smallest or the largest value, if it is a fill."""
    for value in (values.min(), values.max()) if len(values) else ():
        there = values == value
        part = int(there.sum()) / total
        is_wide = part >= LEAST_SHARE and any(_covers_square(*plane, value) for plane in planes)
        is_usual = dtype.kind in "if" and float(value) in COMMON_FILLS
        if not (is_wide or is_usual):
            continue
        others = values[~there]
        if len(np.unique(_thinned(others))) < LEAST_DISTINCT_VALUES:
            continue
        gap = max(float(others.min()) - float(value), float(value) - float(others.max()))
        low, high = _range(others)
        if gap >= (APART if is_wide else WELL_APART) * (high - low):
            return Spike(float(value), part, is_usual or _is_far(dtype, value, gap, (low, high)))
        if is_wide and _is_nearly_apart(float(value), there, others):
            return Spike(float(value), part, taken=False)
    return None


def _is_nearly_apart(value: float, there: NDArray[np.bool_], others: NDArray[Any]) -> bool:
    """Whether few other values lie between a common value and the range of the others.

    Some dark pixels beside a fill must not hide it. Dark or saturated ground has many beside it.
    """
    low, high = _range(others)
    if there.mean() < NEAR_SHARE or max(low - value, value - high) < APART * (high - low):
        return False
    beside = np.abs(_thinned(others).astype(np.float64) - value) < APART * (high - low)
    return int(there.sum()) >= FEW_BESIDE * float(beside.mean()) * len(others)


def _is_far(dtype: np.dtype[Any], value: Any, gap: float, others: tuple[float, float]) -> bool:
    """Whether a value that is not a usual fill is too far from the others to be data."""
    low, high = others
    # New roofs on uniform ground are also apart, but not ten times as bright.
    if dtype.kind == "u" or gap < FAR_APART * max(high - low, abs(low), abs(high)):
        return False
    return bool(dtype.kind == "f" or value < low)  # signed bands saturate at their maximum


def _covers_square(plane: NDArray[Any], valid: NDArray[np.bool_], value: Any) -> bool:
    """Whether a value fills a square of LEAST_SQUARE_PX, or of the whole window if it is smaller."""
    from scipy import ndimage

    there = (plane == value) & valid
    side = min(LEAST_SQUARE_PX, *there.shape)
    if int(there.sum()) < side**2:
        return False
    return bool(ndimage.minimum_filter(there, side, mode="constant", cval=0).any())


def _range(values: NDArray[Any]) -> tuple[float, float]:
    if len(values) == 0:
        return 0.0, 0.0
    low, high = np.percentile(_thinned(values).astype(np.float64), RANGE)
    return float(low), float(high)


def _thinned(values: NDArray[Any]) -> NDArray[Any]:
    return values[:: max(1, len(values) // ENOUGH_PX)]


def masked_fills(scans: tuple[Scans, Scans]) -> tuple[dict[int, tuple[float, ...]], ...]:
    """The finite fills that count as missing, by date and 1-based band.

    A fill of one band is a fill of every other band of both dates in which it is also apart.
    """
    values = sorted({s.value for date in scans for band in date for s in _masked_spikes(band)})
    return tuple(
        {
            band.number: found
            for band in date
            if band.dtype.kind in "if"
            and (found := tuple(value for value in values if _is_fill_of_band(value, band)))
        }
        for date in scans
    )


def _masked_spikes(band: BandScan) -> Iterator[Spike]:
    return (spike for spike in band.spikes if spike.taken and abs(spike.value) < FILL_LIMIT)


def _is_fill_of_band(value: float, band: BandScan) -> bool:
    if any(spike.value == value for spike in _masked_spikes(band)):
        return True
    return nodata_in_dtype(value, band.dtype) == value and band.distance(value) >= APART


def describe_fills(pair: RasterPair, scans: tuple[Scans, Scans]) -> tuple[Fill, ...]:
    """All fills that were found. Equal fills of several bands are one entry."""
    return tuple(
        fill
        for date, bands in zip((pair.before, pair.after), scans, strict=True)
        for fill in _fills_of_date(date.info, bands)
    )


def _fills_of_date(info: RasterInfo, bands: Scans) -> Iterator[Fill]:
    found = [(spike.value, spike.taken, band, spike) for band in bands for spike in band.spikes]
    found.sort(key=lambda each: (each[0], each[1], each[2].number))
    for (value, taken), group in groupby(found, key=lambda each: each[:2]):
        holders = list(group)
        scans = [band for _, _, band, _ in holders]
        yield Fill(
            path=info.path,
            value=_text(value, scans[0].dtype),
            bands=tuple(band.number for band in scans),
            share=max(spike.share for *_, spike in holders),
            taken=taken,
            cure=_cure(info, value, scans, bands),
        )


def _cure(info: RasterInfo, value: float, holders: Sequence[BandScan], bands: Scans) -> str:
    """The command that declares a fill without losing another nodata value."""
    text = _text(value, holders[0].dtype)
    declared = next((band.declared for band in bands if band.declared is not None), None)
    if declared is not None:
        other = _text(declared, holders[0].dtype)
        return f"gdalbuildvrt -srcnodata {text} -vrtnodata {other}"
    if holders[0].dtype.kind == "u" and len(holders) < len(bands):
        return f"a VRT with <NoDataValue>{text}</NoDataValue> in those bands alone"
    return edit_command(info.path, info.origin.driver, f"-a_nodata {text}")


def _text(value: float, dtype: np.dtype[Any]) -> str:
    """The value with the digits of its dtype; integers without a point."""
    return str(dtype.type(value)).removesuffix(".0")
