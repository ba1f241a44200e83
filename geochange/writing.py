"""The files of a run: the raster of probability, and the polygons, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from geochange.check import Checked
from geochange.errors import OutputError, RunError
from geochange.geo.changes import Tally, to_changes
from geochange.geo.cog import write_cog
from geochange.geo.coverage import Coverage
from geochange.geo.project import Scene
from geochange.geo.review import refuse_reviewed
from geochange.geo.showing import picture_of
from geochange.geo.spill import Shelf
from geochange.geo.vector import write_batches
from geochange.naming import Namer, chosen_classes
from geochange.progress import Progress
from geochange.tasks import Work


def write(
    checked: Checked, work: Work, shelf: Shelf, record: dict[str, str], progress: Progress
) -> Tally:
    """The raster first: polygons without it would look finished. Raises RunError."""
    grid, total, options = checked.pair.grid, work.plan.whole.pixels, checked.options
    coverage, tally = Coverage(grid), Tally()
    blocks = _probability_blocks(work, coverage, progress)
    only = chosen_classes(options.only, work.classes)
    name = Namer(work.scores, only) if work.classes else None
    changes = to_changes(shelf, grid, options.simplify, options.min_area, name)
    with _worth_going_on():
        refuse_reviewed(checked.out, options.overwrite)  # somebody may have begun meanwhile
        write_cog(blocks, checked.raster, grid.shape, grid.crs, grid.transform, work.folder)
        scene = Scene(
            grid=grid,
            coverage=coverage.polygons(),
            before=picture_of(work.pair.before),
            after=picture_of(work.pair.after),
            probability=checked.raster,
            folder=checked.out.parent,
        )
        write_batches(tally.of(changes), checked.out, record, scene)
    progress("write", total, total)
    return tally


@contextmanager
def _worth_going_on() -> Iterator[None]:
    """What cannot be written by now is no refusal: all that was worked is kept."""
    try:
        yield
    except OutputError as error:
        raise RunError(str(error)) from error


def _probability_blocks(
    work: Work, coverage: Coverage, progress: Progress
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    done = 0
    for window in work.plan.output_windows():
        probability = work.probability.get(window)
        coverage.add(window, probability)
        yield window.row, window.col, probability
        done += window.pixels
        # Overviews and the reordering into a COG take as long again as the blocks themselves.
        progress("write", done // 2, work.plan.whole.pixels)
