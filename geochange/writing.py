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
    blocks = _probability_blocks(work, progress)
    tally = Tally()
    only = chosen_classes(options.only, work.classes)
    name = Namer(work.scores, only) if work.classes else None
    changes = to_changes(shelf, grid, options.simplify, options.min_area, name)
    with _worth_going_on():
        write_cog(blocks, checked.raster, grid.shape, grid.crs, grid.transform, work.folder)
        write_batches(tally.of(changes), checked.out, record)
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
    work: Work, progress: Progress
) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    done = 0
    for window in work.plan.output_windows():
        yield window.row, window.col, work.probability.get(window)
        done += window.pixels
        # Overviews and the reordering into a COG take as long again as the blocks themselves.
        progress("write", done // 2, work.plan.whole.pixels)
