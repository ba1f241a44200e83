"""The tasks of workers: infer one block of tiles, or stitch and trace one output block."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from itertools import product
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.cluster.job_queue import Job
from geochange.errors import RunError
from geochange.grid.probability_bytes import NODATA, to_bytes
from geochange.grid.tiling import Axis, Index, Window
from geochange.land_cover import CLASSES, NO_LAND_CLASS
from geochange.memory import limit_malloc_growth
from geochange.models.inference.choose_backend import predict
from geochange.mosaic.checked_array import DamagedStoreError
from geochange.mosaic.class_mosaic import mosaic_classes
from geochange.mosaic.stitch import stitch
from geochange.mosaic.stores import LOGIT_LIMIT
from geochange.raster.access.unreadable_areas import (
    NOTHING_UNREADABLE,
)
from geochange.running.ground.land_cover_of_polygons import possible_polygons, see_land
from geochange.running.ground.window_reads import (
    look_at_land,
    network_input,
    read_both,
    refuse_unreadable,
)
from geochange.running.plan.active_tiles import ActiveTiles
from geochange.running.plan.run_spec import RunSpec
from geochange.vector.tracing.regions import BlockRegions, trace_regions

Real = TypeVar("Real", np.float16, np.float32, np.uint8)


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
