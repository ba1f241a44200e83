"""The files of a run: the raster of probability, and the polygons, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray

from geochange.account.reporting import Reporter
from geochange.account.telling import Told
from geochange.check import Checked
from geochange.errors import OutputError, RunError
from geochange.geo.changes import Tally, to_changes
from geochange.geo.cog import write_cog
from geochange.geo.coverage import Coverage
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
    """The raster first: polygons without it would look finished; then the report.

    Raises RunError.
    """
    grid, total, clock = checked.pair.grid, work.plan.whole.pixels, ending.clock
    coverage, tally = Coverage(grid), Tally()
    # Of the pair as it was worked: a shift may have been put back.
    worked = replace(checked, pair=work.pair)
    reporter = None if checked.beside is None else Reporter(worked, checked.beside)
    blocks = _probability_blocks(work, tally, coverage, progress)
    changes = tally.of(_drawn(checked, work, shelf))
    with _worth_going_on():
        refuse_reviewed(checked.out, checked.options.overwrite)  # somebody may have begun meanwhile
        with clock.stage("write the probability"):
            write_cog(blocks, checked.raster, grid.shape, grid.crs, grid.transform, work.folder)
        with clock.stage("draw and write polygons"):
            seen = changes if reporter is None else reporter.of(changes)
            write_batches(seen, checked.out, ending.record, _scene(checked, work, coverage))
        if reporter is not None:
            told = Told(ending.record, tally.seen_px, clock.stages, ending.unreadable)
            reporter.write(told)
    progress("write", total, total)
    return tally


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
    work: Work, tally: Tally, coverage: Coverage, progress: Progress
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    done = 0
    for window in work.plan.output_windows():
        block = work.probability.get(window)
        tally.seen_px += int((block != NODATA).sum())
        coverage.add(window, block)
        yield window.row, window.col, block
        done += window.pixels
        # Overviews and the reordering into a COG take as long again as the blocks themselves.
        progress("write", done // 2, work.plan.whole.pixels)
