"""Inspection: checks a pair for problems that an analyst looks for before change detection."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import PurePath
from typing import Any

from numpy.typing import NDArray

from geochange.inputs.pair_warnings import warnings_of
from geochange.models.catalogue import ModelScope
from geochange.raster.acquisition import Acquisition
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
from geochange.raster.scene.histograms import cloud_shares, distances, thinned
from geochange.raster.scene.radiometry import Sampled, StretchMode, choose_radiometry, match_ranks
from geochange.raster.scene.sampling import SceneSample
from geochange.raster.scene.undeclared_nodata import Fill
from geochange.raster.sources.band_stack import STACK_SEPARATOR, split_stack
from geochange.raster.warped_raster import WarpedRaster


@dataclass(frozen=True)
class Comparison:
    """How the pair is going to be compared.

    stretch, match: as in `SceneSample.radiometry`. scope: of the model; None where no model is chosen.
    """

    stretch: StretchMode = "auto"
    match: str = "none"
    scope: ModelScope | None = None


@dataclass(frozen=True)
class DateReport:
    """One date of a pair.

    pixel_m: size of its pixels on the ground. bands: the number of data bands. dtype: the common dtype
    of the compared bands. nodata, cloud: shares of the sampled pixels; cloud, of those that are bright at
    this date alone.
    colour_in_alpha: the number of an alpha band that varies as a colour does, or None.
    driver, nodata_rule: see `Origin`.
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
    driver: str = ""
    nodata_rule: str = ""

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

    shape: (rows, cols) of the grid of the run. grid_m: the size of its pixels on the ground.
    compared: the bands of each date. comparison: how they are going to be compared.
    histogram_distance: by band, 0 to 1, of the values as they are compared. fills: values that mark
    missing pixels although the file does not declare them as nodata. put_back: the shift (rows, cols)
    that --coregister corrected. residual: the shift after the correction, measured in the same way.
    Both are None without one.
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
    grid_m: float
    comparison: Comparison = Comparison()
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
        """Warnings about the pair: what each means for the result, and a cure."""
        return tuple(warnings_of(self))

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
            "pixel_m": self.grid_m,
            "compared": [list(bands) for bands in self.compared],
            "histogram_distance": list(self.histogram_distance),
            "fills": [asdict(fill) for fill in self.fills],
            "before": self.before.to_json(),
            "after": self.after.to_json(),
        }


def inspect_scene(sample: SceneSample, comparison: Comparison = Comparison()) -> Inspection:
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
        histogram_distance=distances(*_as_compared(sample, comparison, *both)),
        shift=shift,
        offset=ground_shift_of(pair.grid, (shift.row_px, shift.col_px)),
        grid_m=pixel_m(pair.grid, pair.grid),
        comparison=comparison,
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


def _as_compared(
    sample: SceneSample, how: Comparison, *both: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """The values (pixel, band) of both dates, stretched and matched as the model will see them."""
    if len(both[0]) == 0:
        return both[0], both[1]
    before, after = map(thinned, both)
    dates = sample.pair.before, sample.pair.after
    values = (Sampled(each, date.dtype) for each, date in zip((before, after), dates, strict=True))
    match = match_ranks(before, after) if how.match == "histogram" else None
    return choose_radiometry(how.stretch, *values, match=match).apply(before, after)


def _date_report(date: WarpedRaster, pair: RasterPair, nodata: float, cloud: float) -> DateReport:
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
        driver=info.origin.driver,
        nodata_rule=info.origin.nodata_rule,
    )
