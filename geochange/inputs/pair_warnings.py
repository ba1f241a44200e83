"""Warnings about a pair: few, true, and each with what it means for the result and what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from geochange.raster.gdal_cures import edit_command
from geochange.raster.scene.radiometry import Stretch

if TYPE_CHECKING:
    from geochange.inputs.inspection import DateReport, Inspection

CLOUD_SHARE = 0.02
"""The share of cloud-like pixels that causes a warning."""

CLOUD_M2, CLOUD_MOST_SHARE = 40_000.0, 0.25
"""Less ground than this is rather a new roof, unless it is this share of a small picture."""

HISTOGRAM_DISTANCE = 0.15
"""The distance of histograms that suggests other light, season or calibration, not change."""

RESOLUTION_RATIO = 1.5
SAME_PIXEL_RATIO = 1.25
"""Pixels of two grids that differ by less count as equal."""

OVERLAP_SHARE = 0.1
SEASON_DAYS = 60
NODATA_SHARE = 0.5


def warnings_of(checks: Inspection) -> Iterator[str]:
    """All warnings about a pair, those first that would make the result worthless."""
    if checks.before.path == checks.after.path:
        yield "before and after are the same file, so nothing can differ; name another date"
    yield from map(str, checks.fills)
    yield from _alpha_warnings(checks)
    yield from _shift_warnings(checks)
    yield from _date_warnings(checks)
    yield from _overlap_warnings(checks)
    yield from _resolution_warnings(checks)
    if checks.comparison.scope is not None:
        yield from checks.comparison.scope.warnings(checks.grid_m)
    yield from _dtype_warnings(checks)
    yield from _missing_warnings(checks)
    yield from _light_warnings(checks)


def _named(checks: Inspection) -> tuple[tuple[str, DateReport], tuple[str, DateReport]]:
    return ("before", checks.before), ("after", checks.after)


def _alpha_warnings(checks: Inspection) -> Iterator[str]:
    dates = (checks.before, checks.after), (checks.after, checks.before)
    for (date, other), compared in zip(dates, checks.compared, strict=True):
        band = date.colour_in_alpha
        if band is None:
            continue
        command = edit_command(date.path, date.driver, f"-colorinterp_{band} undefined")
        cure = f"remove the flag ({command})"
        if other.bands + (other.colour_in_alpha is not None) >= band:
            bands = ",".join(map(str, (band, *compared[:2])))
            cure = f"compare it (--bands {bands}) or {cure}"
        yield (
            f"{date.path}: band {band} is flagged as alpha but varies like a colour: it is not "
            f"compared, and its zeros are nodata; if it is near infrared, {cure}"
        )


def _shift_warnings(checks: Inspection) -> Iterator[str]:
    shift, offset = checks.shift, checks.offset
    where = f"after lies {shift.length_px:.1f} px {offset.towards} ({offset.text}) of before"
    if checks.residual is not None:
        yield f"{where}: corrected, {checks.residual.length_px:.1f} px remain"
    elif shift.needs_correction:
        yield f"{where}, so edges show as change; --coregister corrects it"


def _date_warnings(checks: Inspection) -> Iterator[str]:
    if checks.before.acquired is None or checks.after.acquired is None:
        return
    first, second = checks.before.acquired.day, checks.after.acquired.day
    if second < first:
        yield (
            f"before is of {first}, after of {second}: if so, what was built is shown as gone; swap "
            "them"
        )
    apart = abs(first.timetuple().tm_yday - second.timetuple().tm_yday)
    apart = min(apart, 365 - apart)
    if apart > SEASON_DAYS:
        yield (
            f"{first} and {second} lie {apart} days apart in the year: expect fields, leaves and "
            "shadows among the changes; dates of one season show fewer"
        )


def _overlap_warnings(checks: Inspection) -> Iterator[str]:
    shares = {"before": checks.ground.of_before, "after": checks.ground.of_after}
    name = min(shares, key=lambda each: shares[each])
    if shares[name] < OVERLAP_SHARE:
        yield (
            f"the dates share {shares[name]:.1%} of {name}, and nothing else is compared: are they the "
            "right two?"
        )


def _resolution_warnings(checks: Inspection) -> Iterator[str]:
    if checks.resolution_ratio < RESOLUTION_RATIO:
        return
    name, coarse = max(_named(checks), key=lambda each: each[1].pixel_m)
    told = (
        f"{name} is {checks.resolution_ratio:.1f} times coarser: nothing below {coarse.pixel_m:.3g} m "
        "can be found"
    )
    if checks.grid_m * SAME_PIXEL_RATIO < coarse.pixel_m:
        told += f", and its blur may show as change; --grid {name} compares on its pixels"
    yield told


def _dtype_warnings(checks: Inspection) -> Iterator[str]:
    types = checks.before.dtype, checks.after.dtype
    if types[0] == types[1]:
        return
    told = f"before is {types[0]}, after {types[1]}, so their values differ in meaning"
    stretch = checks.comparison.stretch
    if stretch == "none" or isinstance(stretch, Stretch):
        yield f"{told}, but are compared as they are; leave --stretch out"
    else:
        yield (
            f"{told}: each date gets its own stretch, and what changes the whole scene does not show"
        )


def _missing_warnings(checks: Inspection) -> Iterator[str]:
    for name, date in _named(checks):
        if _is_cloud(date.cloud, checks.ground.km2 * 1e6):
            yield (
                f"{date.cloud:.0%} of the ground is as bright as cloud in {name} alone: if it is cloud "
                "or snow, it shows as change; make it nodata or take another date"
            )
        if date.nodata >= NODATA_SHARE:
            yield (
                f"{date.nodata:.0%} of the common ground is nodata in {name}, and nothing is found "
                "there; if that is wrong, check its nodata value and mask (gdalinfo)"
            )


def _is_cloud(share: float, ground_m2: float) -> bool:
    large = share * ground_m2 >= CLOUD_M2 or share >= CLOUD_MOST_SHARE
    return share >= CLOUD_SHARE and large


def _light_warnings(checks: Inspection) -> Iterator[str]:
    apart, scope = max(checks.histogram_distance, default=0), checks.comparison.scope
    if apart < HISTOGRAM_DISTANCE or (scope is not None and scope.adapts):
        return
    yield (
        f"the histograms lie {apart:.0%} of their range apart: light or calibration differ, and a "
        "network may take that for change; try --match histogram, or --model cva or irmad, which even "
        "it out"
    )
