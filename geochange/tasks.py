"""What a worker does: infer one block of tiles, or stitch and vectorise one output block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geochange.chip import Chip, fill_invalid
from geochange.geo.align import Pair
from geochange.geo.polygons import BlockRegions, trace
from geochange.geo.probability import to_bytes
from geochange.geo.radiometry import Radiometry
from geochange.geo.tiling import Index, TilePlan, Window
from geochange.memory import settle
from geochange.models import ModelSpec
from geochange.models.predict import predict
from geochange.mosaic.schedule import Job
from geochange.mosaic.stitch import stitch
from geochange.mosaic.store import LogitStore, ProbabilityStore


@dataclass(frozen=True)
class Work:
    """All that the tasks of a run need to know; it travels to the workers, so it is small."""

    pair: Pair
    plan: TilePlan
    radiometry: Radiometry
    spec: ModelSpec
    taper: str
    batch: int
    level: int
    folder: Path

    @property
    def logits(self) -> LogitStore:
        """Logits by tile."""
        return LogitStore(self.folder / "logits.zarr", self.plan)

    @property
    def probability(self) -> ProbabilityStore:
        """Probability by pixel."""
        return ProbabilityStore(self.folder / "probability.zarr", self.plan)


def infer(work: Work, block: Index) -> int:
    """Logits of the tiles of a block, each tile once, into the store; gives how many tiles."""
    settle()
    tile_rows, tile_cols = work.plan.block_tile_ranges(block)
    count = len(tile_rows) * len(tile_cols)
    if not work.logits.has(block):
        _infer_tiles(work, block, tile_rows, tile_cols)
    return count


def _infer_tiles(work: Work, block: Index, tile_rows: range, tile_cols: range) -> None:
    window = work.plan.block_window(block)
    ground = read_chip(work, window)
    tiles = [
        _cut(ground, work.plan.tile_window((row, col)), window)
        for row in tile_rows
        for col in tile_cols
    ]
    logits = predict(work.spec, tiles, work.batch)
    work.logits.put(block, logits.reshape(len(tile_rows), len(tile_cols), *logits.shape[1:]))


def read_chip(work: Work, window: Window) -> Chip:
    """Both dates of a window as the network takes them: one read per date."""
    with work.pair.before.reader() as read:
        before, before_valid = read(window)
    with work.pair.after.reader() as read:
        after, after_valid = read(window)
    before, after = work.radiometry.apply(before, after)
    return fill_invalid(before, before_valid, after, after_valid)


def _cut(ground: Chip, tile: Window, window: Window) -> Chip:
    place = tile.within(window)
    return Chip(ground.before[place], ground.after[place], ground.valid[place])


def finish(work: Work, output: Index) -> BlockRegions:
    """Stitch an output block, keep its probability, and give its regions of change."""
    settle()
    window = work.plan.output_window(output)
    if work.probability.has(output):
        probability = work.probability.get(window)
    else:
        probability = to_bytes(stitch(work.plan, output, work.taper, work.logits))
        work.probability.put(output, probability)
    return trace(np.asarray(probability), window, work.level, work.plan.shape[1])


def jobs(work: Work) -> Iterator[Job]:
    """Every task of a run, each output block right behind the last block of tiles it needs."""
    for block in work.plan.blocks():
        yield Job(("infer", block), infer, (work, block))
        for output in _completed_by(work.plan, block):
            needed = tuple(("infer", other) for other in work.plan.needed_blocks(output))
            yield Job(("finish", output), finish, (work, output), needed)


def _completed_by(plan: TilePlan, block: Index) -> Iterator[Index]:
    """The output blocks whose last needed block this is: its own, or a neighbour's."""
    rows, cols = plan.outputs
    for row in range(max(0, block[0] - 1), min(rows, block[0] + 2)):
        for col in range(max(0, block[1] - 1), min(cols, block[1] + 2)):
            if plan.needed_blocks((row, col))[-1] == block:
                yield row, col
