"""Gather the facts of a run for its report."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely

from geochange.config import RunOptions
from geochange.files.file_names import without_secrets
from geochange.formatting import area
from geochange.grid.crs import authority_of
from geochange.grid.grid import Grid
from geochange.grid.lonlat import bounds_of, outline_in_wgs84, representative_points, size_m
from geochange.grid.probability_bytes import MAX_BYTE
from geochange.inputs.prepared_run import CheckedRun
from geochange.inputs.read_failure_messages import describe_failures
from geochange.raster.access.unreadable_areas import UnreadableAreas
from geochange.raster.warped_raster import WarpedRaster
from geochange.report.facts import Change, ChangeGroup, Facts, GroundPlace, Ring, Source, Stage
from geochange.vector.change_summary import DECADES, NO_CHANGE_NAME, Summary, Sums
from geochange.vector.geodesic import geodesic_measures

MOST_LISTED = 12
"""The number of kinds of change that are listed; the rest is summed."""

OUTLINE_POINTS = 64
"""The approximate number of points of an outline in a report."""


@dataclass(frozen=True)
class RunOutcome:
    """What is known at the end of a run: its record, and what the record lacks.

    seen_px: pixels with data at both dates. seconds: by stage.
    """

    record: Mapping[str, str]
    seen_px: int
    seconds: Mapping[str, float]
    unreadable: UnreadableAreas


def gather_facts(
    checked: CheckedRun, summary: Summary, outcome: RunOutcome, files: Mapping[str, str]
) -> Facts:
    """The facts of a run. files: names of the outputs, by what they are."""
    record = outcome.record
    checks = _json(record.get("checks"))
    options = _json(record.get("options"))
    return Facts(
        title=checked.out.name,
        before=_source(checked.pair.before, _date(checks, 0)),
        after=_source(checked.pair.after, _date(checks, 1)),
        place=_place(checked, outcome.seen_px),
        polygons=summary.total.polygons,
        changed_m2=summary.total.area_m2,
        threshold=int(record["probability_level"]) / MAX_BYTE,
        by_change=_by_change(summary.by_change),
        by_size=_by_size(summary.by_decade),
        histogram=tuple(summary.by_confidence.tolist()),
        top=_top(summary),
        warnings=tuple(_warnings(checked, checks, outcome.unreadable)),
        model=record["model"],
        options={name: _plain(value) for name, value in options.items()},
        unusual=_changed_options(options),
        versions=_versions(record),
        stages=tuple(Stage(name, seconds) for name, seconds in outcome.seconds.items()),
        started=record["started"],
        finished=record["finished"],
        files=dict(files),
    )


def _json(text: str | None) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _date(checks: Mapping[str, Any], which: int) -> str | None:
    """The date of a picture, if the checks found it."""
    dates = checks.get("dates") or {}
    found = dates.get(("before", "after")[which]) if isinstance(dates, dict) else dates[which]
    return str(found) if found else None


def _source(date: WarpedRaster, when: str | None) -> Source:
    return Source(without_secrets(date.info.path), when, ",".join(map(str, date.bands)))


def _place(checked: CheckedRun, seen_px: int) -> GroundPlace:
    pair, grid = checked.pair, checked.pair.grid
    outline = outline_in_wgs84(grid)
    whole = np.array([shapely.box(0, 0, grid.shape[1], grid.shape[0])], dtype=np.object_)
    common_m2 = float(geodesic_measures(whole, grid)[0][0])
    middle = (grid.shape[1] / 2, grid.shape[0] / 2)
    centre = shapely.points([grid.transform @ middle])
    return GroundPlace(
        crs=_crs(grid),
        centre=representative_points(centre, grid.crs)[0],
        bounds=None if outline is None else bounds_of(outline),
        outline=_ring(grid),
        outline_before=_ring(pair.before.info.grid),
        outline_after=_ring(pair.after.info.grid),
        shape=grid.shape,
        size_m=size_m(grid),
        pixel=grid.pixel_size,
        unit=_unit(grid),
        common_m2=common_m2,
        seen_m2=common_m2 * seen_px / grid.full_window.pixels,
    )


def _crs(grid: Grid) -> str:
    authority = authority_of(grid.crs)
    return f"{grid.crs.name} ({':'.join(authority)})" if authority else str(grid.crs.name)


def _unit(grid: Grid) -> str:
    unit = str(grid.crs.axis_info[0].unit_name)
    return {"metre": "m", "degree": "°"}.get(unit, unit)


def _ring(grid: Grid) -> Ring:
    """The outline of a grid in degrees, empty where it has no lon/lat."""
    outline = outline_in_wgs84(grid)
    if outline is None:
        return ()
    largest = max(shapely.get_parts(outline), key=shapely.area)
    points = np.asarray(largest.exterior.coords)
    thin = points[:: max(1, len(points) // OUTLINE_POINTS)]
    return tuple((float(x), float(y)) for x, y in thin)


def _by_change(sums: Mapping[str, Sums]) -> tuple[ChangeGroup, ...]:
    """Groups by change, the largest first; empty where no change has a name."""
    if not any(name != NO_CHANGE_NAME for name in sums):
        return ()
    order = sorted(sums, key=lambda name: -sums[name].area_m2)
    groups = [
        ChangeGroup(name or "not named", sums[name].polygons, sums[name].area_m2) for name in order
    ]
    if len(groups) <= MOST_LISTED:
        return tuple(groups)
    rest = groups[MOST_LISTED - 1 :]
    others = ChangeGroup(
        f"{len(rest)} others", sum(g.polygons for g in rest), sum(g.area_m2 for g in rest)
    )
    return (*groups[: MOST_LISTED - 1], others)


def _by_size(sums: Mapping[int, Sums]) -> tuple[ChangeGroup, ...]:
    return tuple(
        ChangeGroup(_decade(power), sums[power].polygons, sums[power].area_m2)
        for power in sorted(sums)
    )


def _decade(power: int) -> str:
    least, most = 10.0**power, 10.0 ** (power + 1)
    if power == DECADES[0]:
        return "under 1 m²"
    if power == DECADES[1]:
        return f"over {area(least)}"
    return f"{_round(least)} to {_round(most)}"


def _round(square_metres: float) -> str:
    """A power of ten as text: 100 m², 1 ha, 10 ha, 1 km²."""
    for size, unit in ((1e6, "km²"), (1e4, "ha")):
        if square_metres >= size:
            return f"{square_metres / size:,.0f} {unit}"
    return f"{square_metres:,.0f} m²"


def _top(summary: Summary) -> tuple[Change, ...]:
    if summary.top is None:
        return ()
    rows = summary.top.to_dict("records")
    centres = representative_points(summary.top.geometry.to_numpy(), summary.top.crs)
    return tuple(_change(row, centre) for row, centre in zip(rows, centres, strict=True))


def _change(row: Mapping[Any, Any], centre: tuple[float, float] | None) -> Change:
    return Change(
        id=int(row["id"]),
        area_m2=float(row["area_m2"]),
        perimeter_m=float(row["perimeter_m"]),
        confidence_mean=float(row["confidence_mean"]),
        confidence_max=float(row["confidence_max"]),
        touches_edge=bool(row["touches_edge"]),
        centre=centre,
        confidence=_known(row.get("confidence")),
        before_class=_text(row.get("before_class")),
        after_class=_text(row.get("after_class")),
        change=_text(row.get("change")),
    )


def _known(value: Any) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _warnings(
    checked: CheckedRun, checks: Mapping[str, Any], unreadable: UnreadableAreas
) -> Iterable[str]:
    yield from map(str, checks.get("warnings") or ())
    lost = describe_failures(checked.pair, unreadable)
    yield from (
        f"could not be read, so nothing is said of it: {place}" for place in lost[:MOST_LISTED]
    )
    if len(lost) > MOST_LISTED:
        yield f"and {len(lost) - MOST_LISTED} more places that could not be read"


def _plain(value: Any) -> str:
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _changed_options(options: Mapping[str, Any]) -> tuple[str, ...]:
    fields = RunOptions.model_fields
    return tuple(
        name for name, value in options.items() if name in fields and value != fields[name].default
    )


def _versions(record: Mapping[str, str]) -> dict[str, str]:
    ours = {name: record[name] for name in ("geochange", "python")}
    return ours | {name: str(version) for name, version in _json(record["versions"]).items()}
