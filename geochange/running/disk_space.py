"""Disk space: what a run takes while it works, known before it starts and refused if it is not there."""

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

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What the system says of a disk, a share of it or a file that can grow no further."""

LOGIT_BYTES, SCORE_BYTES, PROBABILITY_BYTES, LAND_BYTES = 2, 4, 1, 2

OUTLINE_BYTES = 0.2
"""A pixel's share of the outlines that wait to be written, where a few per cent changed."""

PLAIN_BYTES = 4 / 3
"""A pixel of the raster before it is compressed: itself, and its share of the overviews."""

COG_BYTES = 0.25
"""A pixel of the compressed raster; between 0.1 and 0.5 in what was measured."""

EARLY_PX, EARLY_BLOCKS = 2**24, 25
"""Of so many output blocks, logits of less than half are waiting at any time."""


@dataclass(frozen=True)
class DiskSpace:
    """Bytes on the disk of the outputs while a run works.

    infer: the most there is until the last block is stitched. write: while the raster is written.
    """

    infer: int
    write: int

    @property
    def peak(self) -> int:
        """The most there ever is."""
        return max(self.infer, self.write)


def disk_space_of(
    plan: TilePlan,
    classes: int,
    in_flight: int,
    keep_work: bool,
    share: float = 1.0,
    land: bool = False,
) -> DiskSpace:
    """What a run of a plan takes.

    classes: how many the model scores. in_flight: how many tasks are submitted at once.
    keep_work: whether logits stay behind those that gather from them. share: of the tiles that are
    worked. land: whether the model sees what stands on each pixel.
    """
    tile = plan.tile_px**2 * LOGIT_BYTES
    tiles = math.ceil(plan.tile_count * share)
    logits = tiles * tile
    scores = tiles * 2 * classes * SCORE_BYTES
    seen = tiles * plan.tile_px**2 * LAND_BYTES if land else 0
    probability = int(plan.full_window.pixels * share) * PROBABILITY_BYTES
    early = int(plan.full_window.pixels * PLAIN_BYTES) if writes_early(plan) else 0
    front = logits if keep_work else min(logits, front_tiles(plan, in_flight) * tile)
    outlines = int(plan.full_window.pixels * OUTLINE_BYTES)
    raster = int(plan.full_window.pixels * (PLAIN_BYTES + COG_BYTES))
    kept = logits if keep_work else 0
    always = scores + seen + probability + outlines
    return DiskSpace(always + front + early, always + kept + raster)


def writes_early(plan: TilePlan) -> bool:
    """Whether the raster is filled while tiles are inferred yet, for a large one takes a while.

    In few blocks nearly all logits wait at the same time, and the disk is not to hold both.
    """
    blocks = plan.rows.outputs * plan.cols.outputs
    return plan.full_window.pixels >= EARLY_PX and blocks >= EARLY_BLOCKS


def front_tiles(plan: TilePlan, in_flight: int) -> int:
    """How many tiles may wait at once for the last output block that gathers from them.

    Blocks come row by row: those of the row above still wait, but for the columns already passed.
    """
    rows = _depth(plan.rows) - 1
    blocks = rows * plan.cols.blocks + _depth(plan.cols) - 1 + in_flight
    height, width = (min(axis.block_tiles, axis.tiles) for axis in (plan.rows, plan.cols))
    return min(plan.tile_count, blocks * height * width)


def _depth(axis: Axis) -> int:
    """From how many blocks of tiles an output block gathers along an axis, at most."""
    spans = (axis.touching(*axis.output_span(output)) for output in range(axis.outputs))
    return max(
        span[-1] // axis.block_tiles - span[0] // axis.block_tiles + 1 for span in spans if span
    )


def check_space(space: DiskSpace, folder: Path, work_folder: Path) -> None:
    """Refuse a run for which there is too little space; what an earlier one left is its own.

    Raises OutputError.
    """
    there = shutil.disk_usage(folder).free + size_of(work_folder)
    if space.peak > there:
        raise OutputError(
            f"{folder}: the run needs {as_gb(space.peak)} while it works and there are "
            f"{as_gb(there)}; free some space, or put --out on another disk"
        )


@contextmanager
def room_in(folder: Path) -> Iterator[None]:
    """A disk found full is the user's to mend, and the run worth going on with. Raises RunError."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise RunError(
            f"cannot write in {folder} ({error.strerror}): check the free space there"
        ) from error


def size_of(folder: Path) -> int:
    """Bytes in the files of a folder; 0 if there is none."""
    total = 0
    for file in folder.rglob("*"):
        try:
            status = file.lstat()
            total += status.st_size if stat.S_ISREG(status.st_mode) else 0
        except FileNotFoundError:  # gone since it was listed
            continue
    return total


def as_gb(size: float) -> str:
    """Bytes as people read them."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
