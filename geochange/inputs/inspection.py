"""Inspection: checks a pair for problems that an analyst looks for before change detection."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any

from geochange.raster.acquisition import Acquisition
from geochange.raster.aligned import AlignedRaster
from geochange.raster.ground_measures import (
    CommonArea,
    GroundShift,
    common_area_of,
    ground_shift_of,
    pixel_m,
)
from geochange.raster.pair import RasterPair
from geochange.raster.scene.colour_in_alpha import colour_in_alpha
from geochange.raster.scene.coregistration import Shift, measure_shift
from geochange.raster.scene.histograms import cloud_shares, distances
from geochange.raster.scene.sampling import SceneSample
from geochange.raster.scene.undeclared_nodata import Fill
from geochange.raster.sources.band_stack import STACK_SEPARATOR, split_stack

CLOUD_WARNING_SHARE = 0.02
"""The share of cloud-like pixels that causes a warning. Bright roofs and sand stay below it."""

HISTOGRAM_WARNING_DISTANCE = 0.15
"""The distance of histograms that suggests other light, season or calibration, not change."""

RESOLUTION_WARNING_RATIO = 1.5
OVERLAP_WARNING_SHARE = 0.1
SEASON_WARNING_DAYS = 60
NODATA_WARNING_SHARE = 0.5


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
        return STACK_SEPARATOR.join(PurePath(file).name for file in split_stack(self.path))

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
    ground: CommonArea
    compared: tuple[tuple[int, ...], tuple[int, ...]]
    histogram_distance: tuple[float, ...]
    shift: Shift
    offset: GroundShift
    fills: tuple[Fill, ...] = ()
    put_back: tuple[float, float] | None = None
    residual: Shift | None = None

    def of_radar(self) -> Inspection:
        """The same of radar, which sees no cloud: its brightest pixels are walls and masts."""
        before, after = (replace(date, cloud=0.0) for date in (self.before, self.after))
        return replace(self, before=before, after=after)

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
        _date_report(date, pair, *shares)
        for date, *shares in zip((pair.before, pair.after), empty, clouds, strict=True)
    )
    return Inspection(
        before=first,
        after=second,
        crs=pair.grid.crs.name,
        shape=pair.grid.shape,
        ground=common_area_of(pair),
        compared=(pair.before.bands, pair.after.bands),
        histogram_distance=distances(*both),
        shift=shift,
        offset=ground_shift_of(pair.grid, (shift.row_px, shift.col_px)),
        fills=sample.fills,
    )


def coregister(sample: SceneSample, checks: Inspection) -> tuple[SceneSample, Inspection]:
    """Correct the shift between the dates if it is significant, and measure it again.

    A pair without such a shift is returned unchanged.
    """
    if not checks.shift.needs_correction:
        return sample, checks
    pair = sample.pair.coregistered((checks.shift.row_px, checks.shift.col_px))
    moved = replace(sample, pair=pair, found=sample.fills)
    return moved, checks.corrected(measure_shift(moved))


def _date_report(date: AlignedRaster, pair: RasterPair, nodata: float, cloud: float) -> DateReport:
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


def _warnings(checks: Inspection) -> Iterator[str]:
    if checks.before.path == checks.after.path:
        yield "before and after are the same file, so nothing can differ; name another date"
    yield from map(str, checks.fills)
    yield from _alpha_warnings(checks)
    yield from _shift_warnings(checks)
    yield from _date_warnings(checks)
    yield from _overlap_warnings(checks)
    for name, date in (("before", checks.before), ("after", checks.after)):
        if date.cloud >= CLOUD_WARNING_SHARE:
            yield (
                f"{date.cloud:.0%} of {name} is as bright as cloud, which the other date is not: "
                "make it nodata, take another date, or expect it among the changes"
            )
        if date.nodata >= NODATA_WARNING_SHARE:
            yield f"{date.nodata:.0%} of the common ground is nodata in {name}"
    if max(checks.histogram_distance, default=0) >= HISTOGRAM_WARNING_DISTANCE:
        yield (
            f"the histograms lie {max(checks.histogram_distance):.0%} of their range apart: "
            "light or calibration differ; cva and irmad even that out, for a network try --match "
            "histogram"
        )


def _alpha_warnings(checks: Inspection) -> Iterator[str]:
    dates = (checks.before, checks.after), (checks.after, checks.before)
    for (date, other), compared in zip(dates, checks.compared, strict=True):
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


def _shift_warnings(checks: Inspection) -> Iterator[str]:
    where = (
        f"after lies {checks.shift.length_px:.1f} px {checks.offset.towards} ({checks.offset.text})"
    )
    if checks.residual is not None:
        yield f"{where} of before: corrected, {checks.residual.length_px:.1f} px remain"
    elif checks.shift.needs_correction:
        yield f"{where}: --coregister corrects it"


def _date_warnings(checks: Inspection) -> Iterator[str]:
    if checks.before.acquired is None or checks.after.acquired is None:
        return
    first, second = checks.before.acquired.day, checks.after.acquired.day
    if second < first:
        yield f"before is of {first}, after of {second}: is it the other way round?"
    apart = abs(first.timetuple().tm_yday - second.timetuple().tm_yday)
    apart = min(apart, 365 - apart)
    if apart > SEASON_WARNING_DAYS:
        yield (
            f"{first} and {second} lie {apart} days apart in the year: expect fields, leaves and "
            "shadows among the changes"
        )


def _overlap_warnings(checks: Inspection) -> Iterator[str]:
    ground = checks.ground
    least = min(ground.of_before, ground.of_after)
    if least < OVERLAP_WARNING_SHARE:
        name = "before" if ground.of_before == least else "after"
        yield f"the dates share {least:.1%} of {name}: are they the right two?"
    if checks.resolution_ratio >= RESOLUTION_WARNING_RATIO:
        coarse = max(checks.before, checks.after, key=lambda date: date.pixel_m)
        name = "before" if coarse is checks.before else "after"
        yield (
            f"{name} is {checks.resolution_ratio:.1f} times coarser: nothing below "
            f"{coarse.pixel_m:.3g} m can be compared; --grid {name} works on its pixels"
        )
    if checks.before.dtype != checks.after.dtype:
        yield (
            f"before is {checks.before.dtype}, after {checks.after.dtype}: their values differ in "
            "meaning, so each date gets its own stretch"
        )
