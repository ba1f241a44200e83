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
from geochange.files.report_files import refuse_foreign_image
from geochange.formatting import area, day, lonlat, share
from geochange.grid.grid import Grid
from geochange.grid.lonlat import representative_points, size_m
from geochange.grid.tiling import Window
from geochange.raster.pair import RasterPair
from geochange.raster.sources.resolve import PathLike
from geochange.report.canvas import desaturate, resize_photo, scale_bar_of
from geochange.report.panels import Panel, side_by_side
from geochange.report.run.change_drawing import (
    COLOURS,
    LABELS,
    ChangeDrawing,
    shown_shape,
    window_around,
)
from geochange.report.run.pictures import DatePhotos, read_overviews, read_pictures
from geochange.report.run.run_origin import Rasters, RunOrigin
from geochange.vector.changes import ChangeTotals
from geochange.vector.files.change_reader import read_change, read_change_batches

PANEL_PX = 800
"""The default length of the longer side of each of the three pictures."""

FINE_LINE_PX = 500
"""The side of a picture in which lines are one pixel wide; larger pictures get wider lines."""


@dataclass(frozen=True)
class PreviewView:
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
    chosen = None if number is None else read_change(origin.layer, number, pair.grid)
    window = pair.grid.full_window if chosen is None else _around(chosen, pair.grid)
    save_png(_draw(PreviewView(origin, pair, window, chosen), panel_px), picture)
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
    refuse_foreign_image(path, "--out")
    return path


def _around(change: gpd.GeoDataFrame, grid: Grid) -> Window:
    return window_around(change.geometry.iloc[0], grid)


def _draw(view: PreviewView, panel_px: int) -> Drawn:
    look = read_pictures(
        view.pair, partial(read_overviews, view.pair, view.pair.grid.full_window, panel_px)
    )
    photos, shape = look.at(view.window, panel_px), shown_shape(view.window, panel_px)
    line_px, all_of_it = max(1.0, panel_px / FINE_LINE_PX), view.chosen is None
    sketcher = ChangeDrawing(view.pair.grid, view.window, shape, line_px, filled=all_of_it)
    tally = ChangeTotals()
    for batch in tally.of(read_change_batches(view.origin.layer, view.pair.grid)):
        sketcher.add(batch)
    ground = resize_photo(photos.after, shape)
    if all_of_it:
        ground = desaturate(ground)
    changes = sketcher.overlay.over(ground)
    legend = list(zip(LABELS, COLOURS, strict=True))
    scale = scale_bar_of(size_m(view.pair.grid.crop(view.window))[1])
    title, subtitle = _caption(view, tally)
    return side_by_side(title, subtitle, _panels(view, photos, changes), legend, scale)


def _panels(view: PreviewView, photos: DatePhotos, changes: Drawn) -> list[Panel]:
    shape = changes.height, changes.width
    dates = view.origin.json_value("checks").get("dates") or {}
    notes = [
        day(dates[name]) if dates.get(name) else Path(date.info.path).name
        for name, date in (("before", view.pair.before), ("after", view.pair.after))
    ]
    return [
        Panel(resize_photo(photos.before, shape), "Before", notes[0]),
        Panel(resize_photo(photos.after, shape), "After", notes[1]),
        Panel(changes, "Changes", "by mean confidence"),
    ]


def _caption(view: PreviewView, tally: ChangeTotals) -> tuple[str, str]:
    """The title, and the line below it."""
    name, grid = view.origin.layer.path.name, view.pair.grid
    if view.chosen is None:
        middle = grid.footprint().centroid
        words = f"{tally.polygons:,} polygons, {area(tally.changed_m2)}"
    else:
        row = view.chosen.iloc[0]
        middle = row.geometry
        words = f"{area(row['area_m2'])}, mean confidence {share(row['confidence_mean'])}"
        name = f"No. {row['id']} of {name}{_change_kind(row.get('change'))}"
    (centre,) = representative_points([middle], grid.crs)
    return name, words if centre is None else f"{words}; around {lonlat(centre)}"


def _change_kind(change: object) -> str:
    return f": {change}" if isinstance(change, str) and change else ""
