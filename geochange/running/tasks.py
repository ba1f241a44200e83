"""The tasks of workers: infer one block of tiles, or stitch and trace one output block."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.errors import RunError
from geochange.grid.probability import NODATA, to_bytes
from geochange.grid.tiling import Axis, Index, TilePlan, Window
from geochange.inputs.inspection import Inspection
from geochange.land_cover import CLASSES, NO_LAND_CLASS
from geochange.memory import limit_malloc_growth
from geochange.models import ModelSpec
from geochange.models.inference.route import predict
from geochange.models.protocol import ALWAYS_NAME, NamingRule
from geochange.mosaic.checked_array import CheckedArray, DamagedStoreError
from geochange.mosaic.class_mosaic import mosaic_classes
from geochange.mosaic.jobs import Job
from geochange.mosaic.stitch import stitch
from geochange.mosaic.stores import LOGIT_LIMIT, LandStore, LogitStore, ProbabilityStore, ScoreStore
from geochange.raster.access.unreadable_areas import (
    NOTHING_UNREADABLE,
    UnreadableAreas,
)
from geochange.raster.pair import RasterPair
from geochange.raster.scene.radiometry import Radiometry
from geochange.running.active_tiles import ActiveTiles, area_of, store_area
from geochange.running.confidence import UNSTATED, Confidence
from geochange.running.ground.land_looks import possible_polygons, see_land
from geochange.running.ground.read import (
    look_at_land,
    network_input,
    read_both,
    refuse_unreadable,
)
from geochange.running.read_failures import FailureRecords
from geochange.running.thumbnails import ThumbnailStores
from geochange.storage.work_store import WorkStore
from geochange.vector.tracing.regions import BlockRegions, trace_regions

Real = TypeVar("Real", np.float16, np.float32, np.uint8)


@dataclass(frozen=True)
class RunSpec:
    """Everything that the tasks of a run need. It is sent to the workers, so it is small.

    batch: the largest batch; None lets each worker measure it. level: the smallest byte of probability
    that is change. classes: the names that the model scores by tile. land: its land classes by pixel.
    colours: of these, by name. naming: when a name of a tile is assigned. confidence: of polygons.
    skip_unreadable: whether unreadable pixels are nodata; otherwise their block fails. unsampled: their
    areas in the scene sample. area: the digest of the processed area, kept with the work; None for all.
    folder: where the work is kept. checks: the inspection of the pair. picture_px: the longer side of
    the thumbnails of a run; None for none. least_px: regions of fewer pixels are never written. run: a
    unique id of this run.
    """

    pair: RasterPair
    plan: TilePlan
    radiometry: Radiometry
    spec: ModelSpec
    taper: str
    batch: int | None
    level: int
    folder: WorkStore
    classes: tuple[str, ...] = ()
    land: tuple[str, ...] = ()
    colours: Mapping[str, str] = field(default_factory=dict)
    naming: NamingRule = ALWAYS_NAME
    confidence: Confidence = UNSTATED
    skip_unreadable: bool = False
    unsampled: UnreadableAreas = NOTHING_UNREADABLE
    area: str | None = None
    checks: Inspection | None = None
    picture_px: int | None = None
    least_px: int = 0
    run: str = field(default_factory=lambda: uuid.uuid4().hex, compare=False)

    @property
    def stores_land(self) -> bool:
        """Whether land classes come with the logits; else they are seen where polygons need them."""
        return bool(self.land) and (not self.spec.without_torch or bool(self.spec.prompting.only))

    @property
    def active_tiles(self) -> ActiveTiles:
        """The processed part of the plan."""
        return ActiveTiles(
            self.plan, None if self.area is None else area_of(self.area, self.folder)
        )

    @property
    def logits(self) -> LogitStore:
        """Logits by tile."""
        return LogitStore(self.folder, self.plan)

    @property
    def scores(self) -> ScoreStore:
        """Class scores by tile; not used by models without class names."""
        return ScoreStore(self.folder, self.plan, self.classes)

    @property
    def land_store(self) -> LandStore:
        """Land classes of each pixel, by tile; not used by models without them."""
        return LandStore(self.folder, self.plan)

    @property
    def pictures(self) -> ThumbnailStores | None:
        """Thumbnails of both dates, for the report."""
        if self.picture_px is None:
            return None
        return ThumbnailStores(self.pair, self.plan, self.folder, self.picture_px)

    def create_stores(self, resumed: bool = False) -> RunSpec:
        """Create all stores of the tasks. Intact work of an earlier run stays.

        resumed: no thumbnails are made if the earlier run has made none. Returns the run with what it
        makes.
        """
        pictures = self.pictures
        if resumed and pictures is not None and not pictures.are_created():
            pictures = None
        for array in self._arrays:
            array.create()
        if pictures is not None:
            pictures.create()
        if self.area is not None:
            store_area(self.area, self.folder)
        return self if pictures is not None else replace(self, picture_px=None)

    @property
    def _arrays(self) -> list[CheckedArray]:
        arrays = [self.logits.array, self.probability.array]
        arrays += [self.scores.array] if self.classes else []
        return arrays + ([self.land_store.array] if self.stores_land else [])

    @property
    def records(self) -> FailureRecords:
        """The unreadable areas of blocks of tiles."""
        return FailureRecords(self.folder)

    @property
    def probability(self) -> ProbabilityStore:
        """Probability by pixel."""
        return ProbabilityStore(self.folder, self.plan)


def infer_block(work: RunSpec, block: Index) -> int:
    """Predict each tile of a block once and store the logits. Returns the number of tiles."""
    limit_malloc_growth()
    scope = work.active_tiles
    if not _is_done(work, scope, block):
        _infer_tiles(work, scope, block)
    return len(scope.tiles_of(block))


def _is_done(work: RunSpec, scope: ActiveTiles, block: Index) -> bool:
    """Whether an earlier run has left all results of a block intact."""
    return (
        (work.logits.has(block) or _is_stitched(work, scope, block))
        and (not work.classes or work.scores.has(block))
        and (not work.stores_land or work.land_store.has(block))
        and work.records.has(block)
    )


def _is_stitched(work: RunSpec, scope: ActiveTiles, block: Index) -> bool:
    """Whether all output blocks of a block are stitched. Its logits may then be deleted."""
    return all(work.probability.has(output) for output in scope.outputs_of(block))


def _infer_tiles(work: RunSpec, scope: ActiveTiles, block: Index) -> None:
    tiles: list[Chip] = []
    unreadable = NOTHING_UNREADABLE
    sketches = None if work.pictures is None else work.pictures.of(block)
    for window, inside in scope.runs_of(block):
        before, after, lost = read_both(work, window)
        unreadable |= lost
        if sketches is not None:
            sketches.add(window, before, after)
        ground = network_input(work, before, after)
        tiles += [_cut_chip(ground, work.plan.tile_window(tile), window) for tile in inside]
    refuse_unreadable(work, unreadable)
    work.records.put(block, unreadable)
    if sketches is not None:
        sketches.keep()
    prediction = predict(work.spec, tiles, work.batch)
    if work.classes:
        work.scores.put(block, _arrange_by_tile(scope, block, prediction.scores, np.nan))
    if work.stores_land:
        work.land_store.put(block, _arrange_by_tile(scope, block, prediction.land, NO_LAND_CLASS))
    # Logits are stored last, because a block with logits counts as done.
    work.logits.put(block, _arrange_by_tile(scope, block, prediction.half(LOGIT_LIMIT), np.nan))


def _arrange_by_tile(
    scope: ActiveTiles, block: Index, answers: NDArray[Real], otherwise: float
) -> NDArray[Real]:
    """Results for the tiles of a block by (tile row, tile col); `otherwise` for tiles not inferred."""
    rows, cols = scope.plan.block_tile_ranges(block)
    if len(answers) == len(rows) * len(cols):
        return answers.reshape(len(rows), len(cols), *answers.shape[1:])
    whole = np.full((len(rows), len(cols), *answers.shape[1:]), otherwise, answers.dtype)
    for (row, col), answer in zip(scope.tiles_of(block), answers, strict=True):
        whole[row - rows[0], col - cols[0]] = answer
    return whole


def _cut_chip(ground: Chip, tile: Window, window: Window) -> Chip:
    place = tile.within(window)
    return Chip(ground.before[place], ground.after[place], ground.valid[place])


def stitch_and_trace(work: RunSpec, output: Index) -> BlockRegions:
    """Stitch an output block, store its probability, and return its regions of change."""
    limit_malloc_growth()
    window = work.plan.output_window(output)
    if work.probability.has(output):
        probability = work.probability.get(window)
    else:
        scope = work.active_tiles
        probability = to_bytes(_stitch(work, scope, output))
        if scope.area is not None:
            probability[~scope.area.mask(window)] = NODATA
        work.probability.put(output, probability)
    return _trace(work, output, np.asarray(probability))


def _trace(work: RunSpec, output: Index, probability: NDArray[np.uint8]) -> BlockRegions:
    """The regions of an output block, with what stands there."""
    window, width_px = work.plan.output_window(output), work.plan.shape[1]

    def trace(land: NDArray[np.uint8] | None) -> BlockRegions:
        classes = len(work.land or CLASSES)
        return trace_regions(probability, window, work.level, width_px, land, classes)

    if work.stores_land:
        sparse = work.area is not None  # see _stitch
        return trace(mosaic_classes(work.plan, output, work.land_store, sparse))
    found = trace(None)
    if not work.land:
        return found
    chosen = possible_polygons(found, work.least_px, work.confidence.filter())
    if not chosen.any():
        return found
    changed = (probability >= work.level) & (probability != NODATA)
    look = partial(look_at_land, work)
    return trace(see_land(found, changed, chosen, work.plan, look))


def _stitch(work: RunSpec, scope: ActiveTiles, output: Index) -> NDArray[np.float32]:
    """The logits of an output block. Raises RunError for missing logits, never "no data"."""
    # Blocks outside the area have no chunks.
    if sparse := scope.area is not None:
        _require_logits(work, scope, output)
    try:
        return stitch(work.plan, output, work.taper, work.logits, sparse)
    except DamagedStoreError:
        _require_logits(work, scope, output)
        raise


def _require_logits(work: RunSpec, scope: ActiveTiles, output: Index) -> None:
    """Raise RunError that names missing logits."""
    missing = [block for block in scope.needed_blocks(output) if not work.logits.exists(block)]
    if missing:
        raise RunError(
            f"{work.folder}: the logits of block {missing[0]} are gone, perhaps they were deleted; "
            "the same command again computes them"
        )


def jobs(work: RunSpec) -> Iterator[Job]:
    """All tasks of a run, each output block directly after the last block of tiles that it needs."""
    plan, scope = work.plan, work.active_tiles
    rows, cols = (_last_needed(axis) for axis in (plan.rows, plan.cols))
    for block in plan.blocks():
        if scope.tiles_of(block):
            yield Job(("infer", block), infer_block, (work, block))
        for output in product(rows.get(block[0], ()), cols.get(block[1], ())):
            if scope.has_output(output):
                needed = tuple(("infer", other) for other in scope.needed_blocks(output))
                yield Job(("finish", output), stitch_and_trace, (work, output), needed)


def _last_needed(axis: Axis) -> dict[int, list[int]]:
    """Along an axis: for each block of tiles, the output blocks for which it is the last one needed."""
    outputs: dict[int, list[int]] = {}
    for output in range(axis.outputs):
        last = axis.touching(*axis.output_span(output))[-1] // axis.block_tiles
        outputs.setdefault(last, []).append(output)
    return outputs
