"""Memory: what a run takes at its peak, and how many threads fit into what it may take."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace

from geochange.errors import OptionError
from geochange.grid.tiling import TilePlan
from geochange.memory import machine_bytes, resident_bytes
from geochange.raster.aligned import AlignedRaster
from geochange.raster.pair import RasterPair
from geochange.raster.reader import CACHE_MB
from geochange.raster.scene.radiometry import Radiometry, working_dtype
from geochange.running.disk_space import as_gb

logger = logging.getLogger(__name__)

LOGIT_BYTES = 4 + 4 + 2
"""A pixel of a tile on its way into the store: as answered, clipped, and in half precision."""

VALID_BYTES = 3
"""A pixel's validity: of both dates and together."""

MATCH_BYTES, WIDE_BYTES = 4, 16
"""A number of `after` once it is matched, and one of a single band while it is."""

STRETCH_COPIES = 2
"""A number of a band while it is stretched: in floating point, and scaled."""

LARGE_BLOCK = 2**24
"""Blocks of so many bytes lie within GDAL's cache, a few of them at once."""

MAY_TAKE = 0.6
"""The share of the machine's memory that a run may take unless it is told otherwise."""


@dataclass(frozen=True)
class MemoryBudget:
    """Bytes of memory that a run takes.

    process: what each process holds before its first block: libraries, weights, caches.
    network: what the model takes, beside its weights, for the batch it works on.
    block: what each thread holds of the block it works on.
    processes: 0 where the main process does the work itself.
    """

    process: int
    network: int
    block: int
    processes: int
    threads: int

    @property
    def peak(self) -> int:
        """The most that all processes take together."""
        working = self.process + self.network + self.threads * self.block
        return working * self.processes + self.process if self.processes else working

    def within(self, limit: int) -> MemoryBudget:
        """The same run with as many of its threads as fit. Raises OptionError if none does."""
        for threads in range(self.threads, 0, -1):
            fitting = replace(self, threads=threads)
            if fitting.peak <= limit:
                return fitting
        least = replace(self, threads=1).peak
        raise OptionError(
            f"--max-memory {limit / 1e9:.1f}: the run takes {as_gb(least)} with one thread; allow it "
            "more, or use a smaller --block, --batch or --tile, or fewer --workers"
        )


def block_bytes(pair: RasterPair, plan: TilePlan, radiometry: Radiometry) -> int:
    """What a thread holds of a block of tiles; stitching and vectorising take less."""
    first, *_ = plan.blocks()
    rows, cols = plan.block_tile_ranges(first)
    window = plan.block_window(first)
    after_worked = radiometry.after is not None or radiometry.match is not None
    dates = (pair.before, radiometry.before is not None), (pair.after, after_worked)
    pixel = VALID_BYTES + sum(_date_bytes(date, worked) for date, worked in dates)
    if radiometry.match is not None:
        pixel += len(pair.after.bands) * MATCH_BYTES + WIDE_BYTES
    logits = len(rows) * len(cols) * plan.tile_px**2 * LOGIT_BYTES
    return window.pixels * pixel + logits


def reading_bytes(pair: RasterPair) -> int:
    """What a thread holds of the blocks that the pixels of both dates lie in.

    Small ones are counted with GDAL's cache.
    """
    sizes = (date.info.reading_bytes for date in (pair.before, pair.after))
    return sum(size for size in sizes if size > LARGE_BLOCK)


def check_reading(pair: RasterPair, limit_gb: float | None) -> None:
    """Refuse a pair of which one thread cannot read a pixel within the limit. Raises OptionError."""
    needed = resident_bytes() + reading_bytes(pair)
    limit = machine_bytes() * MAY_TAKE if limit_gb is None else limit_gb * 1e9
    if reading_bytes(pair) and needed > limit:
        date = max((pair.before, pair.after), key=lambda date: date.info.reading_bytes)
        raise OptionError(
            f"--max-memory {limit / 1e9:.1f}: to read any pixel of {date.info.path} takes "
            f"{as_gb(date.info.reading_bytes)}, because its blocks are large; write it in tiles "
            "first (gdal_translate -co TILED=YES), or allow more"
        )


def _date_bytes(date: AlignedRaster, stretched: bool) -> int:
    """A pixel of one date: its numbers, and what becomes of them."""
    number = date.dtype.itemsize
    if stretched:
        number += STRETCH_COPIES * working_dtype(date.dtype).itemsize + 1
    return len(date.bands) * number


def cache_bytes(pair: RasterPair) -> int:
    """What GDAL keeps of the rasters in each process, at most."""
    dates = pair.before, pair.after
    pixel = sum(band.dtype.itemsize for date in dates for band in date.info.chosen(date.bands))
    return min(CACHE_MB * 2**20, pair.grid.full_window.pixels * pixel)


def check_limit(budget: MemoryBudget, limit_gb: float | None, machine: int) -> MemoryBudget:
    """The run with as many threads as the limit, or MAY_TAKE of the machine, allows.

    Raises OptionError if one is too many.
    """
    limit = machine * MAY_TAKE if limit_gb is None else limit_gb * 1e9
    fitting = budget.within(int(limit))
    if fitting.threads < budget.threads:
        logger.warning(
            "%d of %d threads fit into %s of memory", fitting.threads, budget.threads, as_gb(limit)
        )
    return fitting
