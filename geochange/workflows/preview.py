"""Previews of changes: one picture, before | after | changes, and what a notebook shows."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

import geopandas as gpd

from geochange.errors import GeochangeError, InputError, MissingDependencyError, OptionError
from geochange.files.archives import gdal_name
from geochange.files.output_paths import output_path
from geochange.files.report_files import refuse_foreign_image
from geochange.formatting import area, day, lonlat, share
from geochange.grid.grid import Grid
from geochange.grid.lonlat import representative_points, size_m
from geochange.grid.tiling import Window
from geochange.picture_drawing import Drawn, save_png
from geochange.raster.pair import RasterPair
from geochange.raster.sources.resolve import RASTERS, PathLike
from geochange.report.canvas import as_data_uri, desaturate, resize_photo, scale_bar_of
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
from geochange.vector.change_summary import is_calibrated, shown_confidence
from geochange.vector.changes import ChangeTotals
from geochange.vector.files.change_reader import read_change, read_change_batches
from geochange.vector.files.writers import read_changes

PANEL_PX = 800
"""The default length of the longer side of each of the three pictures."""

FINE_LINE_PX = 500
"""The side of a picture in which lines are one pixel wide; larger pictures get wider lines."""

OVERVIEW_PX, CHANGE_PX = 280, 160
"""The longer side of each panel: of the whole pair, and of one change."""

MOST_CHANGES = 5
"""The number of changes with a picture of their own."""

MAP_PACKAGES = ("folium", "mapclassify", "matplotlib")
"""What GeoDataFrame.explore needs."""

SHOWN = ("id", "change", "area_m2", "confidence", "confidence_mean")
"""What a map says of a change under the mouse, where a file has it."""


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
    origin = _origin(path)
    picture = _out_path(path, out, number)
    save_png(_draw(_view(origin, origin.pair(rasters), number), panel_px), picture)
    return picture


def _origin(path: Path) -> RunOrigin:
    try:
        return RunOrigin.of(path)
    except InputError as error:
        if path.suffix.lower() not in RASTERS or not path.is_file():
            raise
        raise InputError(
            f"{path}: is a raster; give the polygons of the run, {path.with_suffix('.gpkg').name}"
        ) from error


def _view(origin: RunOrigin, pair: RasterPair, number: int | None) -> PreviewView:
    chosen = None if number is None else read_change(origin.layer, number, pair.grid)
    window = pair.grid.full_window if chosen is None else _around(chosen, pair.grid)
    return PreviewView(origin, pair, window, chosen)


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
    tally, calibrated = ChangeTotals(), False
    for batch in tally.of(read_change_batches(view.origin.layer, view.pair.grid)):
        sketcher.add(batch)
        calibrated |= is_calibrated(batch)
    ground = resize_photo(photos.after, shape)
    if all_of_it:
        ground = desaturate(ground)
    changes = sketcher.overlay.over(ground)
    legend = list(zip(LABELS, COLOURS, strict=True))
    scale = scale_bar_of(size_m(view.pair.grid.crop(view.window))[1])
    title, subtitle = _caption(view, tally)
    return side_by_side(title, subtitle, _panels(view, photos, changes, calibrated), legend, scale)


def _panels(view: PreviewView, photos: DatePhotos, changes: Drawn, calibrated: bool) -> list[Panel]:
    shape = changes.height, changes.width
    dates = view.origin.json_value("checks").get("dates") or {}
    notes = [
        day(dates[name]) if dates.get(name) else Path(date.info.path).name
        for name, date in (("before", view.pair.before), ("after", view.pair.after))
    ]
    return [
        Panel(resize_photo(photos.before, shape), "Before", notes[0]),
        Panel(resize_photo(photos.after, shape), "After", notes[1]),
        Panel(
            changes,
            "Changes",
            "by confidence" if calibrated else "by mean probability of their pixels",
        ),
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
        what = "confidence" if is_calibrated(view.chosen) else "mean probability"
        words = f"{area(row['area_m2'])}, {what} {share(shown_confidence(view.chosen)[0])}"
        name = f"No. {row['id']} of {name}{_change_kind(row.get('change'))}"
    (centre,) = representative_points([middle], grid.crs)
    return name, words if centre is None else f"{words}; around {lonlat(centre)}"


def _change_kind(change: object) -> str:
    return f": {change}" if isinstance(change, str) and change else ""


def result_html(
    out: Path | str, polygons: int, changed_m2: float, files: Sequence[Path | str]
) -> str:
    """The figures of a run, its pair, and the largest changes, as HTML without scripts.

    Pictures are left out if the rasters of the run have moved, and for outputs in a bucket.
    """
    figures = f"{polygons:,} polygons, {escape(area(changed_m2))}"
    names = "".join(f"<li><code>{escape(str(file))}</code></li>" for file in files)
    try:
        pictures = "".join(map(_image, _pictures(out) if isinstance(out, Path) else []))
    except (GeochangeError, OSError):
        pictures = ""
    return f"<div><p><b>{figures}</b></p><ul>{names}</ul>{pictures}</div>"


def _pictures(out: Path) -> list[Drawn]:
    origin = RunOrigin.of(out)
    pair = origin.pair((None, None))
    largest = read_changes(out).nlargest(MOST_CHANGES, "area_m2")
    closely = [_draw(_view(origin, pair, int(n)), CHANGE_PX) for n in largest["id"]]
    return [_draw(_view(origin, pair, None), OVERVIEW_PX), *closely]


def _image(picture: Drawn) -> str:
    data = as_data_uri(picture)
    return f'<p><img src="{data.uri}" width="{data.width}" height="{data.height}" alt=""></p>'


def explore_changes(changes: gpd.GeoDataFrame, **options: Any) -> Any:
    """Changes on a map that moves, by `GeoDataFrame.explore`. options: of that method.

    Raises MissingDependencyError without folium, mapclassify and matplotlib.
    """
    shown = [name for name in SHOWN if name in changes and changes[name].notna().any()]
    usual: dict[str, Any] = {"tooltip": shown, "popup": False}
    if len(changes):
        column = "confidence" if is_calibrated(changes) else "confidence_mean"
        usual |= {"column": column, "cmap": "YlOrRd", "vmin": 0.5, "vmax": 1.0}
    try:
        return changes.explore(**usual | options)
    except ImportError as error:
        raise MissingDependencyError(
            f'a map needs {", ".join(MAP_PACKAGES)}: pip install "geochange[map]"'
        ) from error
