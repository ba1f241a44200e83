"""The workflow of `preview`: draws a file of changes as one picture, before | after | changes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import geopandas as gpd

from geochange.drawing import Drawn, save_png
from geochange.errors import OptionError
from geochange.files.archives import gdal_name
from geochange.files.output_paths import output_path
from geochange.files.sidecars import refuse_others
from geochange.formatting import area, day, lonlat, share
from geochange.grid.grid import Grid
from geochange.grid.lonlat import points_in, size_m
from geochange.grid.tiling import Window
from geochange.raster.pair import RasterPair
from geochange.raster.sources.resolve import PathLike
from geochange.report.canvas import muted, scale_of, sized
from geochange.report.panels import Panel, side_by_side
from geochange.report.run.origin import Rasters, RunOrigin
from geochange.report.run.pictures import Photos, read_overviews, read_pictures
from geochange.report.run.sketches import COLOURS, LABELS, Sketcher, shown_shape, window_around
from geochange.vector.changes import ChangeTotals
from geochange.vector.files.change_reader import change_of, changes_in

PANEL_PX = 800
"""The default length of the longer side of each of the three pictures."""

FINE = 500
"""The side of a picture in which lines are one pixel wide; larger pictures get wider lines."""


@dataclass(frozen=True)
class View:
    """What the picture shows: the whole pair, or a window around one change."""

    origin: RunOrigin
    pair: RasterPair
    window: Window
    chosen: gpd.GeoDataFrame | None


def preview(
    changes: PathLike,
    out: PathLike | None = None,
    rasters: Rasters = (None, None),
    number: int | None = None,
    panel_px: int = PANEL_PX,
) -> Path:
    """Draw before, after and changes side by side as a PNG. Returns its path.

    changes: a file that a run wrote. out: None writes beside it. rasters: before and after, if they
    have moved since the run. number: the id of one change, for a close view of it.

    Raises InputError, OptionError or OutputError.
    """
    path = Path(gdal_name(os.fspath(changes)))
    origin = RunOrigin.of(path)
    picture = _out_path(path, out, number)
    pair = origin.pair(rasters)
    chosen = None if number is None else change_of(origin.layer, number, pair.grid)
    window = pair.grid.full_window if chosen is None else _around(chosen, pair.grid)
    save_png(_draw(View(origin, pair, window, chosen), panel_px), picture)
    return picture


def _out_path(changes: Path, out: PathLike | None, number: int | None) -> Path:
    if out is None:
        if not changes.exists():
            raise OptionError("--out: needed where the changes lie in an archive")
        suffix = ".png" if number is None else f"-{number}.png"
        path = changes.with_name(f"{changes.stem}{suffix}")
    else:
        path = output_path(out)
    if path.suffix.lower() != ".png":
        raise OptionError(f"--out {path.name}: the picture is a PNG; end its name in .png")
    refuse_others(path, "--out")
    return path


def _around(change: gpd.GeoDataFrame, grid: Grid) -> Window:
    return window_around(change.geometry.iloc[0], grid)


def _draw(view: View, panel_px: int) -> Drawn:
    look = read_pictures(
        view.pair, partial(read_overviews, view.pair, view.pair.grid.full_window, panel_px)
    )
    photos, shape = look.at(view.window, panel_px), shown_shape(view.window, panel_px)
    line_px, all_of_it = max(1.0, panel_px / FINE), view.chosen is None
    sketcher = Sketcher(view.pair.grid, view.window, shape, line_px, filled=all_of_it)
    tally = ChangeTotals()
    for batch in tally.of(changes_in(view.origin.layer, view.pair.grid)):
        sketcher.add(batch)
    ground = sized(photos.after, shape)
    if all_of_it:
        ground = muted(ground)
    changes = sketcher.overlay.over(ground)
    legend = list(zip(LABELS, COLOURS, strict=True))
    scale = scale_of(size_m(view.pair.grid.crop(view.window))[1])
    title, subtitle = _words(view, tally)
    return side_by_side(title, subtitle, _panels(view, photos, changes), legend, scale)


def _panels(view: View, photos: Photos, changes: Drawn) -> list[Panel]:
    shape = changes.height, changes.width
    dates = view.origin.told("checks").get("dates") or {}
    notes = [
        day(dates[name]) if dates.get(name) else Path(date.info.path).name
        for name, date in (("before", view.pair.before), ("after", view.pair.after))
    ]
    return [
        Panel(sized(photos.before, shape), "Before", notes[0]),
        Panel(sized(photos.after, shape), "After", notes[1]),
        Panel(changes, "Changes", "by mean confidence"),
    ]


def _words(view: View, tally: ChangeTotals) -> tuple[str, str]:
    """The title, and the line below it."""
    name, grid = view.origin.layer.path.name, view.pair.grid
    if view.chosen is None:
        middle = grid.footprint().centroid
        words = f"{tally.polygons:,} polygons, {area(tally.changed_m2)}"
    else:
        row = view.chosen.iloc[0]
        middle = row.geometry
        words = f"{area(row['area_m2'])}, mean confidence {share(row['confidence_mean'])}"
        name = f"No. {row['id']} of {name}{_kind(row.get('change'))}"
    (centre,) = points_in([middle], grid.crs)
    return name, words if centre is None else f"{words}; around {lonlat(centre)}"


def _kind(change: object) -> str:
    return f": {change}" if isinstance(change, str) and change else ""
