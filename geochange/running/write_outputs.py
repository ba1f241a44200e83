"""The files of a run: the raster of probability, and the polygons, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain

import geopandas as gpd

from geochange.progress import Progress
from geochange.qgis.project import Scene
from geochange.raster.pictures.overview import Glance
from geochange.raster.unreadable import Unreadable
from geochange.report.run.gather_facts import Told
from geochange.report.run.write import Reporter
from geochange.running.change_names import LandNamer, Namer, chosen
from geochange.running.provenance import Clock
from geochange.running.raster_writer import Rastering, worth_going_on
from geochange.running.tasks import Work
from geochange.vector.changes import Naming, Tally, to_changes
from geochange.vector.files.overwrite import refuse_reviewed
from geochange.vector.files.writers import write_batches
from geochange.vector.generalization.outline_style import pen_for
from geochange.vector.tracing.coverage import Coverage
from geochange.vector.tracing.spill import Shelf
from geochange.workflows.layer_sources import picture_of
from geochange.workflows.preflight import Checked


@dataclass(frozen=True)
class Ending:
    """What the files of a run tell beside what was found.

    record: for their metadata. clock: takes the time of each. raster: has every block by now.
    """

    record: dict[str, str]
    clock: Clock
    unreadable: Unreadable
    raster: Rastering


def write(checked: Checked, work: Work, shelf: Shelf, ending: Ending, progress: Progress) -> Tally:
    """Raster and polygons side by side, then the report.

    The raster is in its place first: polygons without it would look finished. Raises RunError.
    """
    clock, raster, tally = ending.clock, ending.raster, Tally()
    reporter = _reporter(checked, work)
    changes = tally.of(_drawn(checked, work, shelf))
    with worth_going_on(), ThreadPoolExecutor(1, "look") as pool:
        refuse_reviewed(checked.out, checked.options.overwrite)  # somebody may have begun meanwhile
        written = raster.end()
        if reporter is not None:
            reporter.look_ahead(pool)
        with clock.stage("draw and write polygons"):
            seen = changes if reporter is None else reporter.of(changes)
            scene = partial(_scene, checked, work, raster.coverage)
            write_batches(chain(seen, _nothing_after(written)), checked.out, ending.record, scene)
        if reporter is not None:
            told = Told(ending.record, raster.seen_px, clock.stages, ending.unreadable)
            reporter.write(told)
    progress("write", work.plan.whole.pixels, work.plan.whole.pixels)
    return tally


def _nothing_after(other: Future[None]) -> Iterator[gpd.GeoDataFrame]:
    """No table at all, but not before the other is done. Raises what that raised."""
    other.result()
    yield from ()


def _reporter(checked: Checked, work: Work) -> Reporter | None:
    if checked.beside is None:
        return None
    # Of the pair as it was worked: a shift may have been put back.
    return Reporter(replace(checked, pair=work.pair), checked.beside, partial(_seen, work))


def _seen(work: Work) -> tuple[Glance, Glance] | None:
    """Both dates as inference saw them, if it kept that."""
    small = None if work.pictures is None else work.pictures.get()
    return None if small is None else (Glance(*small[0]), Glance(*small[1]))


def _scene(checked: Checked, work: Work, coverage: Coverage) -> Scene:
    """What a map of the run shows beside the polygons, once the probability is written."""
    return Scene(
        grid=checked.pair.grid,
        coverage=coverage.polygons(),
        before=picture_of(work.pair.before),
        after=picture_of(work.pair.after),
        probability=checked.raster,
        folder=checked.out.parent,
    )


def _drawn(checked: Checked, work: Work, shelf: Shelf) -> Iterator[gpd.GeoDataFrame]:
    grid, options = checked.pair.grid, checked.options
    pen = pen_for(grid, options.simplify, options.smooth, options.orthogonal)
    only = chosen(options.only, work.classes, work.land)
    places = Namer(work.scores, only.places, work.naming) if work.classes else None
    name: Naming | None = places
    if work.land:
        name = LandNamer(work.land, places if only.places else None)
    return to_changes(shelf, grid, pen, options.min_area, name)
