"""Memory: estimates the peak of a run, and how many threads fit into the limit."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from geochange.errors import OptionError
from geochange.grid.tiling import TilePlan
from geochange.memory import machine_bytes, resident_bytes
from geochange.raster.pair import RasterPair
from geochange.raster.reader import CACHE_MB
from geochange.raster.scene.radiometry import Radiometry, working_dtype
from geochange.raster.warped_raster import WarpedRaster
from geochange.running.plan.disk_space import size_text

logger = logging.getLogger(__name__)

LOGIT_BYTES = 4 + 4 + 2
"""Bytes per pixel of a tile's logits until they are stored: as predicted, clipped, and float16."""

VALID_BYTES = 3
"""Bytes per pixel for validity: of each date, and of both."""

MATCH_BYTES, WIDE_BYTES = 4, 16
"""Bytes per value of `after` after matching, and per value of one band during matching."""

STRETCH_COPIES = 2
"""The number of float copies of a value during a stretch."""

LARGE_BLOCK = 2**24
"""Blocks of up to this size in bytes are counted with GDAL's cache."""

DEFAULT_MEMORY_SHARE = 0.6
"""The default share of the machine's memory that a run may use."""


@dataclass(frozen=True)
class MemoryBudget:
    """Bytes of memory of a run.

    process: in each process before its first block: libraries, weights, caches.
    network: of the model for one batch, besides its weights.
    block: of each thread for its block.
    processes: 0 if the main process does the work itself.
    """

    process: int
    network: int
    block: int
    processes: int
    threads: int

    @property
    def peak(self) -> int:
        """The sum over all processes."""
        working = self.process + self.network + self.threads * self.block
        return working * self.processes + self.process if self.processes else working

    def within(self, limit: int) -> MemoryBudget:
        """The same run with the largest number of threads that fit. Raises OptionError if none does."""
        for threads in range(self.threads, 0, -1):
            fitting = replace(self, threads=threads)
            if fitting.peak <= limit:
                return fitting
        least = replace(self, threads=1).peak
        raise OptionError(
            f"--max-memory {limit / 1e9:.1f}: the run takes {size_text(least)} with one thread; allow it "
            "more, or use a smaller --block, --batch or --tile, or fewer --workers"
        )


def block_bytes(pair: RasterPair, plan: TilePlan, radiometry: Radiometry) -> int:
    """The memory of a thread for a block of tiles. Stitching and tracing need less."""
    first, *_ = plan.blocks()
    rows, cols = plan.block_tile_ranges(first)
    window = plan.block_window(first)
    scaled = radiometry.decibels is not None
    before_worked = scaled or radiometry.before is not None
    after_worked = scaled or radiometry.after is not None or radiometry.match is not None
    dates = (pair.before, before_worked), (pair.after, after_worked)
    pixel = VALID_BYTES + sum(_date_bytes(date, worked) for date, worked in dates)
    if radiometry.match is not None:
        pixel += len(pair.after.bands) * MATCH_BYTES + WIDE_BYTES
    logits = len(rows) * len(cols) * plan.tile_px**2 * LOGIT_BYTES
    return window.pixels * pixel + logits


def reading_bytes(pair: RasterPair) -> int:
    """The memory of a thread for the raster blocks that hold the pixels of both dates.

    Small blocks are counted with GDAL's cache.
    """
    sizes = (date.info.reading_bytes for date in (pair.before, pair.after))
    return sum(size for size in sizes if size > LARGE_BLOCK)


def check_read_memory(pair: RasterPair, limit_gb: float | None) -> None:
    """Refuse a pair if one thread cannot read a pixel within the limit. Raises OptionError."""
    needed = resident_bytes() + reading_bytes(pair)
    limit = machine_bytes() * DEFAULT_MEMORY_SHARE if limit_gb is None else limit_gb * 1e9
    if reading_bytes(pair) and needed > limit:
        date = max((pair.before, pair.after), key=lambda date: date.info.reading_bytes)
        raise OptionError(
            f"--max-memory {limit / 1e9:.1f}: to read any pixel of {date.info.path} takes "
            f"{size_text(date.info.reading_bytes)}, because its blocks are large; write it in tiles "
            "first (gdal_translate -co TILED=YES), or allow more"
        )


def _date_bytes(date: WarpedRaster, stretched: bool) -> int:
    """Bytes per pixel of one date: its values, and their copies."""
    number = date.dtype.itemsize
    if stretched:
        number += STRETCH_COPIES * working_dtype(date.dtype).itemsize + 1
    return len(date.bands) * number


def cache_bytes(pair: RasterPair) -> int:
    """The maximum of GDAL's cache for the rasters in each process."""
    dates = pair.before, pair.after
    pixel = sum(band.dtype.itemsize for date in dates for band in date.info.chosen(date.bands))
    return min(CACHE_MB * 2**20, pair.grid.full_window.pixels * pixel)


def fit_threads(budget: MemoryBudget, limit_gb: float | None, machine: int) -> MemoryBudget:
    """The run with as many threads as the limit, or DEFAULT_MEMORY_SHARE of the machine, allows.

    Raises OptionError if not even one fits.
    """
    limit = machine * DEFAULT_MEMORY_SHARE if limit_gb is None else limit_gb * 1e9
    fitting = budget.within(int(limit))
    if fitting.threads < budget.threads:
        logger.warning(
            "%d of %d threads fit into %s of memory, so the run takes longer (--max-memory allows more)",
            fitting.threads,
            budget.threads,
            size_text(limit),
        )
    return fitting
