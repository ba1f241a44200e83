"""RasterWriter: writes the probability raster in its own thread, as blocks are finished."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from queue import SimpleQueue

import numpy as np

from geochange.errors import OutputError, RunError
from geochange.grid.probability_bytes import NODATA
from geochange.grid.tiling import Index
from geochange.inputs.prepared_run import CheckedRun
from geochange.progress import Progress
from geochange.raster.output.cog import Block, write_cog
from geochange.running.plan.disk_space import writes_early
from geochange.running.plan.run_spec import RunSpec
from geochange.running.provenance import StageClock
from geochange.vector.tracing.coverage import Coverage

STAGE = "write the probability"


@dataclass
class RasterWriter:
    """Writes output blocks as they are finished. The file appears after the last one.

    coverage, seen_px: of the blocks so far; of all blocks once the file is complete.
    """

    checked: CheckedRun
    work: RunSpec
    clock: StageClock
    progress: Progress
    coverage: Coverage = field(init=False)
    seen_px: int = 0
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "raster"))
    _ready: SimpleQueue[Index | None] = field(default_factory=SimpleQueue)
    _written: Future[None] | None = None
    _failed: bool = False

    def __post_init__(self) -> None:
        self.coverage = Coverage(self.checked.pair.grid)
        if writes_early(self.work.plan):
            self._begin()

    def add(self, output: Index) -> None:
        """Add an output block whose probability is stored. Raises RunError if writing failed."""
        if self._written is not None and self._written.done():
            self._written.result()
        self._ready.put(output)

    def end(self) -> Future[None]:
        """Accept no more blocks. Returns a future that is done when the file is complete."""
        ended = time.monotonic()
        self._ready.put(None)
        written = self._begin()
        written.add_done_callback(lambda _: self.clock.add(STAGE, time.monotonic() - ended))
        return written

    def stop(self) -> None:
        """Stop writing, without leaving a file."""
        self._failed = True
        self._ready.put(None)
        self._pool.shutdown()

    def _begin(self) -> Future[None]:
        if self._written is None:
            self._written = self._pool.submit(self._write)
        return self._written

    def _write(self) -> None:
        grid, scratch = self.checked.pair.grid, self.checked.scratch
        raster = self.checked.raster
        with as_resumable_error():
            write_cog(self._blocks(), raster, grid.shape, grid.crs, grid.transform, scratch)

    def _blocks(self) -> Iterator[Block]:
        done, total = 0, self.work.plan.full_window.pixels
        while (output := self._ready.get()) is not None and not self._failed:
            window = self.work.plan.output_window(output)
            block = self.work.probability.get(window)
            self.seen_px += int(np.count_nonzero(block != NODATA))
            self.coverage.add(window, block)
            yield window.row, window.col, block
            done += window.pixels
            # Overviews and the copy into a COG take as long as writing the blocks.
            self.progress("write", done // 2, total)
        if self._failed:
            raise RunError(
                "the writer stopped because the run failed"
            )  # raises the error of the writer


@contextmanager
def as_resumable_error() -> Iterator[None]:
    """Turn a failure to write into a RunError, because the work can resume."""
    try:
        yield
    except OutputError as error:
        raise RunError(str(error)) from error


@contextmanager
def open_raster_writer(
    checked: CheckedRun, work: RunSpec, clock: StageClock, progress: Progress
) -> Iterator[RasterWriter]:
    """The writer of a run. It stops if the body fails."""
    raster = RasterWriter(checked, work, clock, progress)
    try:
        yield raster
    finally:
        # A complete file stays.
        raster.stop()
