"""Split assignment: assigns the blocks of a labelled pair to train, val and test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from itertools import product

from geochange.config.cut import CutOptions
from geochange.dataset.labelled_pairs import Scene
from geochange.dataset.reviewed_labels import ACCEPT, REJECT, ReviewedLabels
from geochange.errors import InputError, OptionError
from geochange.grid.spatial_blocks import SpatialBlocks, assign_splits, count_blocks
from geochange.grid.tiling import TilePlan, Window
from geochange.training.data.chip_source import SPLITS

BLOCKS = (4, 3, 2, 1)
"""Default sizes of a block, in chips along a side; the first that fits is used."""

MAX_TRIES = 64
"""The number of assignments that are tried for a reviewed pair before it is refused."""


SMALLEST_PX, MOST_CHIPS = 64, 20_000
"""The smallest chip, and the most chips, for which another size is looked for."""


def assign_blocks(scene: Scene, options: CutOptions) -> tuple[SpatialBlocks, CutOptions]:
    """The blocks of a pair, and the options with the block size and the seed that were used.

    A given block size is used as it is. Otherwise blocks are as large as possible with two blocks for
    each split. A reviewed pair may hold few polygons. So for reviewed pairs, sizes and seeds are tried
    until each split holds an accepted polygon, and if possible the training split a rejected one.

    Raises OptionError if there are too few blocks, and InputError if polygons lie too close together.
    """
    shape, labels = scene.pair.grid.shape, scene.labels
    if not isinstance(labels, ReviewedLabels):
        plan = _plan(shape, options)
        blocks = assign_splits(plan, shares_of(options), options.seed, options.gap)
        return blocks, options.model_copy(update={"block": plan.block_tiles})
    found = _assign_reviewed(shape, labels, options)
    if found is None:
        cure = "accept others farther away"
        if size := _size_that_works(shape, labels, options):
            cure = f"choose --size {size}, which works here, or {cure}"
        raise InputError(
            f"{labels.path}: its accepted polygons are too few or too close together for "
            f"{' and '.join(shares_of(options))} to have some each; {cure}"
        )
    return found


def _assign_reviewed(
    shape: tuple[int, int], labels: ReviewedLabels, options: CutOptions
) -> tuple[SpatialBlocks, CutOptions] | None:
    """The first assignment in which each split has an accepted polygon; None without one."""
    plan = _plan(shape, options)
    wanted = {status: _chips_with_status(plan, labels, status) for status in (ACCEPT, REJECT)}
    second = None
    for blocks, chosen in _candidate_assignments(shape, plan, options):
        accepted, rejected = ({blocks.split_of(w) for w in wanted[s]} for s in (ACCEPT, REJECT))
        if accepted.issuperset(blocks.splits):
            if SPLITS[0] in rejected or not wanted[REJECT]:
                return blocks, chosen
            second = second or (blocks, chosen)
    return second


def _size_that_works(
    shape: tuple[int, int], labels: ReviewedLabels, options: CutOptions
) -> int | None:
    """The largest half, quarter ... of the size with which a reviewed pair can be assigned."""
    size = options.size // 2
    while size >= SMALLEST_PX and options.overlap <= size * 7 // 8:
        smaller = options.model_copy(update={"size": size})
        if TilePlan(shape, size, options.overlap, 1).tile_count > MOST_CHIPS:
            return None
        with suppress(OptionError):  # too few blocks
            if _assign_reviewed(shape, labels, smaller):
                return size
        size //= 2
    return None


def shares_of(options: CutOptions) -> dict[str, float]:
    """The share of each split that is not empty."""
    shares = (1 - options.val - options.test, options.val, options.test)
    return {split: share for split, share in zip(SPLITS, shares, strict=True) if share > 0}


def _plan(shape: tuple[int, int], options: CutOptions) -> TilePlan:
    """The plan with the given block size, else with the largest that allows two blocks per split."""
    sizes = BLOCKS if options.block is None else (options.block,)
    plans = [TilePlan(shape, options.size, options.overlap, size) for size in sizes]
    enough = 2 * len(shares_of(options))
    return next((plan for plan in plans if count_blocks(plan) >= enough), plans[-1])


def _candidate_assignments(
    shape: tuple[int, int], plan: TilePlan, options: CutOptions
) -> Iterator[tuple[SpatialBlocks, CutOptions]]:
    """Candidate assignments: large blocks first, unless the block size is given."""
    sizes = [size for size in BLOCKS if size <= plan.block_tiles]
    for size in sizes if options.block is None else [options.block]:
        smaller = TilePlan(shape, options.size, options.overlap, size)
        for seed in range(options.seed, options.seed + MAX_TRIES):
            blocks = assign_splits(smaller, shares_of(options), seed, options.gap)
            yield blocks, options.model_copy(update={"block": size, "seed": seed})


def _chips_with_status(plan: TilePlan, labels: ReviewedLabels, status: str) -> list[Window]:
    """The chips that hold a pixel of a polygon of this status."""
    rows, cols = plan.tiles
    windows = map(plan.tile_window, product(range(rows), range(cols)))
    return [window for window in windows if labels.holds(status, window)]
