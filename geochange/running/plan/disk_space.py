"""Disk space: estimates the peak of a run, and refuses a run without enough space."""

from __future__ import annotations

import errno
import math
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from geochange.errors import OutputError, RunError
from geochange.grid.tiling import Axis, TilePlan

DISK_FULL_ERRNOS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Error numbers for a full disk, an exhausted quota and a file at its size limit."""

LOGIT_BYTES, SCORE_BYTES, PROBABILITY_BYTES, LAND_BYTES = 2, 4, 1, 2

OUTLINE_BYTES = 0.2
"""Bytes of outlines per pixel, if a few per cent of the pixels changed."""

PLAIN_BYTES = 4 / 3
"""Bytes per pixel of the uncompressed raster, with its overviews."""

COG_BYTES = 0.25
"""Bytes per pixel of the compressed raster; measured values are 0.1 to 0.5."""

EARLY_PX, EARLY_BLOCKS = 2**24, 25
"""With at least this many pixels and output blocks, less than half of the logits wait at once."""


@dataclass(frozen=True)
class DiskSpace:
    """Bytes on the disk of the outputs during a run.

    infer: the maximum until the last block is stitched. write: while the raster is written.
    """

    infer: int
    write: int

    @property
    def peak(self) -> int:
        """The maximum of both."""
        return max(self.infer, self.write)


def disk_space_of(
    plan: TilePlan,
    classes: int,
    in_flight: int,
    keep_work: bool,
    share: float = 1.0,
    land: bool = False,
) -> DiskSpace:
    """The disk space of a run.

    classes: the number of classes that the model scores. in_flight: the number of tasks that are
    submitted at once. keep_work: whether logits are kept after stitching. share: the share of tiles that
    are processed. land: whether the model has land classes.
    """
    tile = plan.tile_px**2 * LOGIT_BYTES
    tiles = math.ceil(plan.tile_count * share)
    logits = tiles * tile
    scores = tiles * 2 * classes * SCORE_BYTES
    seen = tiles * plan.tile_px**2 * LAND_BYTES if land else 0
    probability = int(plan.full_window.pixels * share) * PROBABILITY_BYTES
    early = int(plan.full_window.pixels * PLAIN_BYTES) if writes_early(plan) else 0
    front = logits if keep_work else min(logits, most_waiting_tiles(plan, in_flight) * tile)
    outlines = int(plan.full_window.pixels * OUTLINE_BYTES)
    raster = int(plan.full_window.pixels * (PLAIN_BYTES + COG_BYTES))
    kept = logits if keep_work else 0
    always = scores + seen + probability + outlines
    return DiskSpace(always + front + early, always + kept + raster)


def scratch_space_of(plan: TilePlan) -> DiskSpace:
    """The disk space of a run whose stores are not on this machine."""
    pixels = plan.full_window.pixels
    early = int(pixels * PLAIN_BYTES) if writes_early(plan) else 0
    outlines = int(pixels * OUTLINE_BYTES)
    return DiskSpace(outlines + early, outlines + int(pixels * (PLAIN_BYTES + COG_BYTES)))


def writes_early(plan: TilePlan) -> bool:
    """Whether the raster is written during inference, because a large raster takes long.

    With few blocks almost all logits wait at once, and the disk should not hold both.
    """
    blocks = plan.rows.outputs * plan.cols.outputs
    return plan.full_window.pixels >= EARLY_PX and blocks >= EARLY_BLOCKS


def most_waiting_tiles(plan: TilePlan, in_flight: int) -> int:
    """The largest number of tiles that wait for the last output block that gathers from them.

    Blocks come row by row. Those of the row above still wait, except for columns that are done.
    """
    rows = _depth(plan.rows) - 1
    blocks = rows * plan.cols.blocks + _depth(plan.cols) - 1 + in_flight
    height, width = (min(axis.block_tiles, axis.tiles) for axis in (plan.rows, plan.cols))
    return min(plan.tile_count, blocks * height * width)


def _depth(axis: Axis) -> int:
    """The largest number of blocks of tiles from which an output block gathers along an axis."""
    spans = (axis.touching(*axis.output_span(output)) for output in range(axis.outputs))
    return max(
        span[-1] // axis.block_tiles - span[0] // axis.block_tiles + 1 for span in spans if span
    )


def check_space(space: DiskSpace, folder: Path, work_folder: Path) -> None:
    """Refuse a run without enough space. The files of an interrupted run count as available.

    Raises OutputError.
    """
    there = shutil.disk_usage(folder).free + size_of(work_folder)
    if space.peak > there:
        raise OutputError(
            f"{folder}: the run needs {size_text(space.peak)} while it works and there are "
            f"{size_text(there)}; free some space, or put --out on another disk"
        )


@contextmanager
def as_disk_full_error(folder: Path) -> Iterator[None]:
    """Turn a full disk into a RunError, because the run can resume when the user has freed space."""
    try:
        yield
    except OSError as error:
        if error.errno not in DISK_FULL_ERRNOS:
            raise
        raise RunError(
            f"cannot write in {folder} ({error.strerror}): check the free space there"
        ) from error


def size_of(folder: Path) -> int:
    """The size of the files of a folder in bytes; 0 if it does not exist."""
    total = 0
    for file in folder.rglob("*"):
        try:
            status = file.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
        except FileNotFoundError:  # deleted since it was listed
            continue
    return total


def size_text(size: float) -> str:
    """Bytes in a readable unit."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
