"""What a worker does: infer one block of tiles, or stitch and vectorise one output block."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np

from geochange.chip import Chip, fill_invalid
from geochange.geo.align import Pair
from geochange.geo.polygons import BlockRegions, trace
from geochange.geo.probability import to_bytes
from geochange.geo.radiometry import Radiometry
from geochange.geo.tiling import Axis, Index, TilePlan, Window
from geochange.memory import settle
from geochange.models import ModelSpec
from geochange.models.predict import predict
from geochange.mosaic.schedule import Job
from geochange.mosaic.stitch import stitch
from geochange.mosaic.store import LogitStore, ProbabilityStore, ScoreStore


@dataclass(frozen=True)
class Work:
    """All that the tasks of a run need to know; it travels to the workers, so it is small.

    batch: the most tiles at once, found by each worker where None. level: the smallest byte of
    probability that is change. classes: the names the model scores.
    """

    pair: Pair
    plan: TilePlan
    radiometry: Radiometry
    spec: ModelSpec
    taper: str
    batch: int | None
    level: int
    folder: Path
    classes: tuple[str, ...] = ()

    @property
    def logits(self) -> LogitStore:
        """Logits by tile."""
        return LogitStore(self.folder / "logits.zarr", self.plan)

    @property
    def scores(self) -> ScoreStore:
        """Class scores by tile; unused by models that name no classes."""
        return ScoreStore(self.folder / "scores.zarr", self.plan, self.classes)

    def create_stores(self) -> None:
        """Lay out, empty, all that the tasks write into."""
        self.logits.create()
        self.probability.create()
        if self.classes:
            self.scores.create()

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
    prediction = predict(work.spec, tiles, work.batch)
    grid = len(tile_rows), len(tile_cols)
    if work.classes:
        work.scores.put(block, prediction.scores.reshape(*grid, 2, -1))
    # Last, for a block whose logits are there counts as done.
    work.logits.put(block, prediction.logits.reshape(*grid, *tiles[0].shape))


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
    plan = work.plan
    rows, cols = (_last_needed(axis) for axis in (plan.rows, plan.cols))
    for block in plan.blocks():
        yield Job(("infer", block), infer, (work, block))
        for output in product(rows.get(block[0], ()), cols.get(block[1], ())):
            needed = tuple(("infer", other) for other in plan.needed_blocks(output))
            yield Job(("finish", output), finish, (work, output), needed)


def _last_needed(axis: Axis) -> dict[int, list[int]]:
    """Along an axis: for a block of tiles, the output blocks of which it is the last one needed."""
    outputs: dict[int, list[int]] = {}
    for output in range(axis.outputs):
        last = axis.touching(*axis.output_span(output))[-1] // axis.block_tiles
        outputs.setdefault(last, []).append(output)
    return outputs
