"""The report of a run: it collects figures while polygons are written, then writes its files."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from typing import Any

import geopandas as gpd

from geochange.errors import RunError
from geochange.files.atomic import write_text
from geochange.files.report_files import ReportFiles
from geochange.grid.crs import authority_of
from geochange.grid.grid import Grid
from geochange.grid.lonlat import outline_in_wgs84, to_geojson
from geochange.grid.tiling import Window
from geochange.inputs.prepared_run import CheckedRun
from geochange.picture_drawing import Drawn
from geochange.qgis.style import CLASSES, OTHER_COLOR, change_colors
from geochange.raster.pictures.overview import small_shape
from geochange.report.canvas import (
    Overlay,
    as_data_uri,
    desaturate,
    lines_as_data_uri,
    resize_photo,
    scale_bar_of,
)
from geochange.report.facts import Facts
from geochange.report.page import ConfidenceColour, PageColours, PagePictures, Views, render
from geochange.report.run.change_drawing import ChangeDrawing, shown_shape, window_around
from geochange.report.run.change_list import ChangeList
from geochange.report.run.gather_facts import RunOutcome, gather_facts
from geochange.report.run.picture_size import SCENE_PX
from geochange.report.run.pictures import (
    DatePhotos,
    Overviews,
    PictureReader,
    read_overviews,
    read_pictures,
)
from geochange.report.stac_item import Footprint, item_of
from geochange.vector.change_summary import NO_CHANGE_NAME, Summary
from geochange.vector.files.class_colours import class_colours

logger = logging.getLogger(__name__)

CHANGE_PX = 320
"""The longer side of the picture of a single change."""

DRAWN_SCENE_PX = 800
"""The longer side of the scene with changes drawn on it, which stands beside both dates on paper."""

SCENE_LINE_PX, CHANGE_LINE_PX = 2.0, 2.5

LINE_JPEG_QUALITY = 88
"""JPEG quality of pictures with drawn lines."""

SHADES = tuple(ConfidenceColour(each.label, each.lower, each.color) for each in CLASSES)


class Reporter:
    """Sums up and draws the changes of a run while they are written, then writes the report."""

    def __init__(
        self, checked: CheckedRun, places: ReportFiles, pictures: Callable[[], Overviews | None]
    ) -> None:
        """pictures: gives both dates as the run read them, where they were kept."""
        self.checked, self.places, self.pictures = checked, places, pictures
        self.summary, self.list = Summary(), ChangeList(checked.pair.grid)
        grid = checked.pair.grid
        self.sketcher = ChangeDrawing(
            grid, grid.full_window, shown_shape(grid.full_window, SCENE_PX), SCENE_LINE_PX
        )
        self._seen = self._read_scene

    def prefetch_pictures(self, pool: Executor) -> None:
        """Read the pictures of the page in another thread, while changes are written."""
        if self.places.is_page:
            self._seen = pool.submit(self._read_scene).result

    def _read_scene(self) -> tuple[PictureReader, DatePhotos]:
        """The reader of the pair, and its picture of the whole scene."""
        pair, whole = self.checked.pair, self.checked.pair.grid.full_window
        seen = self.pictures() or read_overviews(pair, whole, SCENE_PX)
        look = read_pictures(pair, lambda: seen)
        return look, look.of(seen, small_shape(whole, SCENE_PX))

    def of(self, changes: Iterable[gpd.GeoDataFrame]) -> Iterator[gpd.GeoDataFrame]:
        """Pass changes through, and add each batch to sums and drawings."""
        for batch in self.summary.of(changes):
            self.sketcher.add(batch)
            if self.places.is_page:
                self.list.add(batch)
            yield batch

    def write(self, outcome: RunOutcome) -> None:
        """Write the report and the STAC item, each whole or not at all. Raises OutputError."""
        checked, places = self.checked, self.places
        outputs = {"changes": checked.out, "probability": checked.raster, "report": places.report}
        names = {key: path.name for key, path in outputs.items()}
        facts = gather_facts(
            checked, self.summary, outcome, {**names, "STAC item": places.item.name}
        )
        if places.is_page:
            text = render(
                facts, self.list.listed(), self._pictures(facts), self._colours(outcome.record)
            )
        else:
            text = _as_json({"geochange": facts.versions["geochange"], **facts.to_json()})
        write_text(places.report, text)
        write_text(places.item, _as_json(item_of(facts, _footprint(checked.pair.grid), names)))

    def _pictures(self, facts: Facts) -> PagePictures | None:
        try:
            look, scene = self._seen()
            top = self._close_ups(look)
        except RunError as error:  # an input is gone; the outputs are complete without pictures
            logger.warning("%s; the report has no pictures", error)
            return None
        overlay = self.sketcher.overlay
        drawn = overlay.over(desaturate(resize_photo(scene.after, overlay.shape)))
        drawn.thumbnail((DRAWN_SCENE_PX, DRAWN_SCENE_PX))
        scale = scale_bar_of(facts.place.size_m[1])
        return PagePictures(_views(scene, overlay, drawn), scale, top, scene.sparse)

    def _colours(self, record: Mapping[str, str]) -> PageColours:
        """The colours of confidence and of names, as in QGIS."""
        names = {
            name: sums.polygons
            for name, sums in self.summary.by_change.items()
            if name != NO_CHANGE_NAME
        }
        colors = change_colors(names, class_colours(record))
        before, after = ({name: both[date] for name, both in colors.items()} for date in (0, 1))
        return PageColours(SHADES, after, OTHER_COLOR, before)

    def _close_ups(self, reader: PictureReader) -> list[Views]:
        if self.summary.top is None:
            return []
        changes = [self.summary.top.iloc[[i]] for i in range(len(self.summary.top))]
        grid = reader.pair.grid
        windows = [window_around(each.geometry.iloc[0], grid) for each in changes]
        photos = reader.all_at(windows, CHANGE_PX)
        return [_close_up(grid, *each) for each in zip(changes, windows, photos, strict=True)]


def _close_up(grid: Grid, change: gpd.GeoDataFrame, window: Window, photos: DatePhotos) -> Views:
    """One change, and what lies around it."""
    shape = shown_shape(window, CHANGE_PX)
    sketcher = ChangeDrawing(grid, window, shape, CHANGE_LINE_PX, filled=False)
    sketcher.add(change)
    overlay = sketcher.overlay
    return _views(photos, overlay, overlay.over(resize_photo(photos.after, shape)))


def _views(photos: DatePhotos, overlay: Overlay, drawn: Drawn) -> Views:
    before, after = (
        as_data_uri(resize_photo(photo, overlay.shape)) for photo in (photos.before, photos.after)
    )
    lines = lines_as_data_uri(overlay.drawn())
    return Views(before, after, lines, as_data_uri(drawn, LINE_JPEG_QUALITY))


def _footprint(grid: Grid) -> Footprint:
    outline = outline_in_wgs84(grid)
    geometry, bbox = (None, None) if outline is None else to_geojson(outline)
    authority = authority_of(grid.crs)
    return Footprint(
        geometry=geometry,
        bbox=bbox,
        code=":".join(authority) if authority else None,
        wkt=grid.crs.to_wkt(),
        transform=list(grid.transform)[:6],
        shape=grid.shape,
    )


def _as_json(values: Mapping[str, Any]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
