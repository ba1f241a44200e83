"""Inspection: checks a pair for problems that an analyst looks for before change detection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any

from geochange.raster.acquisition import Acquisition
from geochange.raster.aligned import AlignedRaster
from geochange.raster.extent import Offset, SharedGround, common_ground_of, offset_of, pixel_m
from geochange.raster.pair import RasterPair
from geochange.raster.scene.alpha import colour_in_alpha
from geochange.raster.scene.coregistration import Shift, measure_shift
from geochange.raster.scene.fills import Fill
from geochange.raster.scene.histograms import cloud_shares, distances
from geochange.raster.scene.sampling import SceneSample
from geochange.raster.sources.band_stack import PLUS, names_in

CLOUDY = 0.02
"""The share of cloud-like pixels that causes a warning. Bright roofs and sand stay below it."""

FAR_APART = 0.15
"""The distance of histograms that suggests other light, season or calibration, not change."""

COARSER = 1.5
LITTLE_SHARED = 0.1
SEASON_DAYS = 60
MOSTLY_EMPTY = 0.5


@dataclass(frozen=True)
class DateReport:
    """One date of a pair.

    pixel_m: size of its pixels on the ground. bands: the number of data bands. dtype: the common dtype
    of the compared bands. nodata, cloud: shares of the sampled pixels.
    colour_in_alpha: the number of an alpha band that varies as a colour does, or None.
    """

    path: str
    acquired: Acquisition | None
    crs: str
    shape: tuple[int, int]
    pixel_m: float
    bands: int
    dtype: str
    nodata: float
    cloud: float
    colour_in_alpha: int | None = None

    @property
    def name(self) -> str:
        """The file name, or several file names for a stack of files."""
        return PLUS.join(PurePath(file).name for file in names_in(self.path))

    def to_json(self) -> dict[str, Any]:
        """Its fields as values for JSON."""
        told: dict[str, str | None] = {"acquired": None, "acquired_from": None}
        if self.acquired is not None:
            told = {"acquired": self.acquired.when, "acquired_from": self.acquired.source_tag}
        return {**vars(self), "shape": list(self.shape), **told}


@dataclass(frozen=True)
class Inspection:
    """The results of an inspection, and its warnings.

    shape: (rows, cols) of the grid of the run. compared: the bands of each date.
    histogram_distance: by band, 0 to 1. fills: values that mark missing pixels although the file does
    not declare them as nodata. put_back: the shift (rows, cols) that --coregister corrected.
    residual: the shift after the correction, measured in the same way. Both are None without one.
    """

    before: DateReport
    after: DateReport
    crs: str
    shape: tuple[int, int]
    ground: SharedGround
    compared: tuple[tuple[int, ...], tuple[int, ...]]
    histogram_distance: tuple[float, ...]
    shift: Shift
    offset: Offset
    fills: tuple[Fill, ...] = ()
    put_back: tuple[float, float] | None = None
    residual: Shift | None = None

    @property
    def resolution_ratio(self) -> float:
        """The larger pixel size divided by the smaller one."""
        sizes = self.before.pixel_m, self.after.pixel_m
        return max(sizes) / min(sizes)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Warnings about the pair, each with a cure."""
        return tuple(_warnings(self))

    def corrected(self, residual: Shift) -> Inspection:
        """The inspection after the shift was corrected."""
        return replace(self, put_back=(self.shift.row_px, self.shift.col_px), residual=residual)

    def to_json(self) -> dict[str, Any]:
        """Values for JSON; `shift_px` is null if the shift is not reliable."""
        trusted = self.shift.trusted
        return {
            "warnings": list(self.warnings),
            "dates": {
                name: date.acquired.when if date.acquired else None
                for name, date in (("before", self.before), ("after", self.after))
            },
            "shift_px": [self.shift.row_px, self.shift.col_px] if trusted else None,
            "shift_m": self.offset.metres if trusted else None,
            "shift_towards": self.offset.towards if trusted else None,
            "shift": self.shift.to_json(),
            "coregistered_px": None if self.put_back is None else list(self.put_back),
            "residual": None if self.residual is None else self.residual.to_json(),
            "crs": self.crs,
            "shape": list(self.shape),
            "common_ground": vars(self.ground),
            "resolution_ratio": self.resolution_ratio,
            "compared": [list(bands) for bands in self.compared],
            "histogram_distance": list(self.histogram_distance),
            "fills": [asdict(fill) for fill in self.fills],
            "before": self.before.to_json(),
            "after": self.after.to_json(),
        }


def inspect_scene(sample: SceneSample) -> Inspection:
    """Inspect a scene sample and the metadata of its rasters."""
    pair, shift = sample.pair, measure_shift(sample)
    both = sample.valid_at_both()
    clouds, empty = cloud_shares(*both), sample.nodata_shares()
    first, second = (
        _seen(date, pair, *shares)
        for date, *shares in zip((pair.before, pair.after), empty, clouds, strict=True)
    )
    return Inspection(
        before=first,
        after=second,
        crs=pair.grid.crs.name,
        shape=pair.grid.shape,
        ground=common_ground_of(pair),
        compared=(pair.before.bands, pair.after.bands),
        histogram_distance=distances(*both),
        shift=shift,
        offset=offset_of(pair.grid, (shift.row_px, shift.col_px)),
        fills=sample.fills,
    )


def coregister(sample: SceneSample, seen: Inspection) -> tuple[SceneSample, Inspection]:
    """Correct the shift between the dates if it is significant, and measure it again.

    A pair without such a shift is returned unchanged.
    """
    if not seen.shift.matters:
        return sample, seen
    pair = sample.pair.coregistered((seen.shift.row_px, seen.shift.col_px))
    moved = replace(sample, pair=pair, found=sample.fills)
    return moved, seen.corrected(measure_shift(moved))


def _seen(date: AlignedRaster, pair: RasterPair, nodata: float, cloud: float) -> DateReport:
    info = date.info
    return DateReport(
        path=info.path,
        acquired=info.acquired,
        crs=info.grid.crs.name,
        shape=info.grid.shape,
        pixel_m=pixel_m(info.grid, pair.grid),
        bands=len(info.data_bands),
        dtype=str(date.dtype),
        nodata=nodata,
        cloud=cloud,
        colour_in_alpha=colour_in_alpha(date),
    )


def _warnings(seen: Inspection) -> Iterator[str]:
    if seen.before.path == seen.after.path:
        yield "before and after are the same file, so nothing can differ; name another date"
    yield from map(str, seen.fills)
    yield from _of_the_alpha(seen)
    yield from _of_the_shift(seen)
    yield from _of_the_dates(seen)
    yield from _of_the_ground(seen)
    for name, date in (("before", seen.before), ("after", seen.after)):
        if date.cloud >= CLOUDY:
            yield (
                f"{date.cloud:.0%} of {name} is as bright as cloud, which the other date is not: "
                "make it nodata, take another date, or expect it among the changes"
            )
        if date.nodata >= MOSTLY_EMPTY:
            yield f"{date.nodata:.0%} of the common ground is nodata in {name}"
    if max(seen.histogram_distance, default=0) >= FAR_APART:
        yield (
            f"the histograms lie {max(seen.histogram_distance):.0%} of their range apart: "
            "light or calibration differ; cva and irmad even that out, for a network try --match "
            "histogram"
        )


def _of_the_alpha(seen: Inspection) -> Iterator[str]:
    dates = (seen.before, seen.after), (seen.after, seen.before)
    for (date, other), compared in zip(dates, seen.compared, strict=True):
        band = date.colour_in_alpha
        if band is None:
            continue
        cure = f"remove the flag (gdal_edit -colorinterp_{band} undefined)"
        if other.bands + (other.colour_in_alpha is not None) >= band:
            bands = ",".join(map(str, (band, *compared[:2])))
            cure = f"compare it (--bands {bands}) or {cure}"
        yield (
            f"{date.path}: band {band} is flagged as alpha but varies like a colour: it is not "
            f"compared, and its zeros are nodata; if it is near infrared, {cure}"
        )


def _of_the_shift(seen: Inspection) -> Iterator[str]:
    where = f"after lies {seen.shift.length_px:.1f} px {seen.offset.towards} ({seen.offset.said})"
    if seen.residual is not None:
        yield f"{where} of before: corrected, {seen.residual.length_px:.1f} px remain"
    elif seen.shift.matters:
        yield f"{where}: --coregister corrects it"


def _of_the_dates(seen: Inspection) -> Iterator[str]:
    if seen.before.acquired is None or seen.after.acquired is None:
        return
    first, second = seen.before.acquired.day, seen.after.acquired.day
    if second < first:
        yield f"before is of {first}, after of {second}: is it the other way round?"
    apart = abs(first.timetuple().tm_yday - second.timetuple().tm_yday)
    apart = min(apart, 365 - apart)
    if apart > SEASON_DAYS:
        yield (
            f"{first} and {second} lie {apart} days apart in the year: expect fields, leaves and "
            "shadows among the changes"
        )


def _of_the_ground(seen: Inspection) -> Iterator[str]:
    ground = seen.ground
    least = min(ground.of_before, ground.of_after)
    if least < LITTLE_SHARED:
        name = "before" if ground.of_before == least else "after"
        yield f"the dates share {least:.1%} of {name}: are they the right two?"
    if seen.resolution_ratio >= COARSER:
        coarse = max(seen.before, seen.after, key=lambda date: date.pixel_m)
        name = "before" if coarse is seen.before else "after"
        yield (
            f"{name} is {seen.resolution_ratio:.1f} times coarser: nothing below "
            f"{coarse.pixel_m:.3g} m can be compared; --grid {name} works on its pixels"
        )
    if seen.before.dtype != seen.after.dtype:
        yield (
            f"before is {seen.before.dtype}, after {seen.after.dtype}: their values differ in "
            "meaning, so each date gets its own stretch"
        )
