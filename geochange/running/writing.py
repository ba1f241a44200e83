"""The files of a run: the raster of probability, and the polygons, batch by batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from threading import Event

import geopandas as gpd
import numpy as np

from geochange.account.reporting import Reporter
from geochange.account.telling import Told
from geochange.check import Checked
from geochange.errors import OutputError, RunError
from geochange.geo.changes import Tally, to_changes
from geochange.geo.cog import Block, write_cog
from geochange.geo.coverage import Coverage
from geochange.geo.glance import Glance
from geochange.geo.pen import pen_for
from geochange.geo.probability import NODATA
from geochange.geo.project import Scene
from geochange.geo.showing import picture_of
from geochange.geo.spill import Shelf
from geochange.geo.standing import refuse_reviewed
from geochange.geo.unreadable import Unreadable
from geochange.geo.vector import write_batches
from geochange.progress import Progress
from geochange.running.naming import Namer, chosen_classes
from geochange.running.provenance import Clock
from geochange.running.tasks import Work


@dataclass(frozen=True)
class Ending:
    """What the files of a run tell beside what was found.

    record: for their metadata. clock: takes the time of each.
    """

    record: dict[str, str]
    clock: Clock
    unreadable: Unreadable


def write(checked: Checked, work: Work, shelf: Shelf, ending: Ending, progress: Progress) -> Tally:
    """Raster and polygons side by side, then the report.

    The raster is in its place first: polygons without it would look finished. Raises RunError.
    """
    clock, tally, coverage = ending.clock, Tally(), Coverage(checked.pair.grid)
    # Of the pair as it was worked: a shift may have been put back.
    worked = replace(checked, pair=work.pair)
    reporter = (
        None if checked.beside is None else Reporter(worked, checked.beside, partial(_seen, work))
    )
    changes = tally.of(_drawn(checked, work, shelf))
    with _worth_going_on(), _meanwhile() as (pool, failed):
        refuse_reviewed(checked.out, checked.options.overwrite)  # somebody may have begun meanwhile
        blocks = _probability_blocks(work, tally, coverage, failed, progress)
        raster = pool.submit(_write_raster, checked, work, blocks, clock)
        if reporter is not None:
            reporter.look_ahead(pool)
        with clock.stage("draw and write polygons"):
            seen = changes if reporter is None else reporter.of(changes)
            scene = partial(_scene, checked, work, coverage)
            write_batches(chain(seen, _nothing_after(raster)), checked.out, ending.record, scene)
        if reporter is not None:
            told = Told(ending.record, tally.seen_px, clock.stages, ending.unreadable)
            reporter.write(told)
    progress("write", work.plan.whole.pixels, work.plan.whole.pixels)
    return tally


@contextmanager
def _meanwhile() -> Iterator[tuple[ThreadPoolExecutor, Event]]:
    """Threads for what is done beside, and what is set for them to stop once the body fails."""
    failed = Event()
    with ThreadPoolExecutor(2, "write") as pool:
        try:
            yield pool, failed
        except BaseException:
            failed.set()
            raise


def _nothing_after(other: Future[None]) -> Iterator[gpd.GeoDataFrame]:
    """No table at all, but not before the other is done. Raises what that raised."""
    other.result()
    yield from ()


def _write_raster(checked: Checked, work: Work, blocks: Iterable[Block], clock: Clock) -> None:
    grid = checked.pair.grid
    with clock.stage("write the probability"):
        write_cog(blocks, checked.raster, grid.shape, grid.crs, grid.transform, work.folder)


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
    only = chosen_classes(options.only, work.classes)
    name = Namer(work.scores, only) if work.classes else None
    return to_changes(shelf, grid, pen, options.min_area, name)


@contextmanager
def _worth_going_on() -> Iterator[None]:
    """What cannot be written by now is no refusal: all that was worked is kept."""
    try:
        yield
    except OutputError as error:
        raise RunError(str(error)) from error


def _probability_blocks(
    work: Work, tally: Tally, coverage: Coverage, failed: Event, progress: Progress
) -> Iterator[Block]:
    done = 0
    for window in work.plan.output_windows():
        if failed.is_set():
            raise RunError("stopped with the rest of the run")
        block = work.probability.get(window)
        tally.seen_px += int(np.count_nonzero(block != NODATA))
        coverage.add(window, block)
        yield window.row, window.col, block
        done += window.pixels
        # Overviews and the reordering into a COG take as long again as the blocks themselves.
        progress("write", done // 2, work.plan.whole.pixels)
