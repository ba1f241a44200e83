"""The report of a run: it collects figures while polygons are written, then writes its files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Executor
from typing import Any

import geopandas as gpd

from geochange.files.atomic import write_text
from geochange.files.report_files import ReportFiles
from geochange.grid.crs import authority_of
from geochange.grid.grid import Grid
from geochange.grid.lonlat import outline_in_wgs84, to_geojson
from geochange.inputs.prepared_run import CheckedRun
from geochange.qgis.style import CLASSES, OTHER_COLOR, change_colors
from geochange.report.page import ConfidenceColour, PageColours, render
from geochange.report.run.change_list import ChangeList
from geochange.report.run.gather_facts import RunOutcome, gather_facts
from geochange.report.run.page_drawing import PageDrawing
from geochange.report.run.pictures import Overviews
from geochange.report.stac_item import Footprint, item_of
from geochange.vector.change_summary import NO_CHANGE_NAME, Summary
from geochange.vector.files.class_colours import class_colours

SHADES = tuple(ConfidenceColour(each.label, each.lower, each.color) for each in CLASSES)


class Reporter:
    """Sums up and draws the changes of a run while they are written, then writes the report."""

    def __init__(
        self, checked: CheckedRun, places: ReportFiles, pictures: Callable[[], Overviews | None]
    ) -> None:
        """pictures: gives both dates as the run read them, where they were kept."""
        self.checked, self.places = checked, places
        self.summary, self.list = Summary(), ChangeList(checked.pair.grid)
        self.drawing = PageDrawing(checked.pair, pictures) if places.is_page else None

    def work_beside(self, pool: Executor) -> None:
        """Read and draw the pictures of the page in other threads while changes are written."""
        if self.drawing is not None:
            self.drawing.work_beside(pool)

    def of(self, changes: Iterable[gpd.GeoDataFrame]) -> Iterator[gpd.GeoDataFrame]:
        """Pass changes through, and add each batch to sums and drawings."""
        for batch in self.summary.of(changes):
            if self.drawing is not None:
                self.drawing.add(batch)
                self.list.add(batch)
            yield batch
        if self.drawing is not None:
            self.drawing.begin_pictures(self.summary.top)

    def write(self, outcome: RunOutcome) -> None:
        """Write the report and the STAC item, each whole or not at all. Raises OutputError."""
        checked, places = self.checked, self.places
        outputs = {"changes": checked.out, "probability": checked.raster, "report": places.report}
        names = {key: path.name for key, path in outputs.items()}
        facts = gather_facts(
            checked, self.summary, outcome, {**names, "STAC item": places.item.name}
        )
        if self.drawing is not None:
            pictures = self.drawing.pictures(facts.place.size_m[1])
            colours = self._colours(outcome.record)
            text = render(facts, self.list.listed(), pictures, colours)
        else:
            text = _as_json({"geochange": facts.versions["geochange"], **facts.to_json()})
        write_text(places.report, text)
        write_text(places.item, _as_json(item_of(facts, _footprint(checked.pair.grid), names)))

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
