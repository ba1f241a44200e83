"""Sharing: which blocks of a labelled pair go to which split."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from geochange.config.cut import CutOptions
from geochange.dataset.labelled_pairs import Scene
from geochange.dataset.reviewed import ACCEPT, REJECT, ReviewedLabels
from geochange.errors import InputError
from geochange.grid.spatial_blocks import SpatialBlocks, assign_splits, count_blocks
from geochange.grid.tiling import TilePlan, Window
from geochange.training.data.chip_source import SPLITS

BLOCKS = (4, 3, 2, 1)
"""Chips along a side of a block, where it is not said."""

TRIES = 64
"""So many ways to share a reviewed pair out are looked at, before it is refused."""


def share(scene: Scene, options: CutOptions) -> tuple[SpatialBlocks, CutOptions]:
    """The blocks of a pair, and the options with the size of a block and the seed that were taken.

    Blocks are as large as is said, else as large as leaves every split two of them. Of a reviewed
    pair, which may hold few polygons, those are taken, from the seed on, that leave every split an
    accepted one and those to train on a rejected one, too, where that can be.

    Raises OptionError where there are too few blocks, InputError where polygons lie too close.
    """
    shape = scene.pair.grid.shape
    plan = _plan(shape, options)
    if not isinstance(scene.labels, ReviewedLabels):
        blocks = assign_splits(plan, shares_of(options), options.seed, options.gap)
        return blocks, options.model_copy(update={"block": plan.block_tiles})
    wanted = {status: _holding(plan, scene.labels, status) for status in (ACCEPT, REJECT)}
    second = None
    for blocks, chosen in _ways(shape, plan, options):
        accepted, rejected = ({blocks.split_of(w) for w in wanted[s]} for s in (ACCEPT, REJECT))
        if accepted.issuperset(blocks.splits):
            if SPLITS[0] in rejected or not wanted[REJECT]:
                return blocks, chosen
            second = second or (blocks, chosen)
    if second is None:
        raise InputError(
            f"{scene.labels.path}: its accepted polygons are too few or too close together for "
            f"{' and '.join(shares_of(options))} to have some each; accept others farther away, or "
            "take a smaller --size"
        )
    return second


def shares_of(options: CutOptions) -> dict[str, float]:
    """The share of each split that there will be."""
    shares = (1 - options.val - options.test, options.val, options.test)
    return {split: share for split, share in zip(SPLITS, shares, strict=True) if share > 0}


def _plan(shape: tuple[int, int], options: CutOptions) -> TilePlan:
    """With blocks as large as is said, else with the largest of which every split may have two."""
    sizes = BLOCKS if options.block is None else (options.block,)
    plans = [TilePlan(shape, options.size, options.overlap, size) for size in sizes]
    enough = 2 * len(shares_of(options))
    return next((plan for plan in plans if count_blocks(plan) >= enough), plans[-1])


def _ways(
    shape: tuple[int, int], plan: TilePlan, options: CutOptions
) -> Iterator[tuple[SpatialBlocks, CutOptions]]:
    """Ways to share out: large blocks first, unless their size was said."""
    sizes = [size for size in BLOCKS if size <= plan.block_tiles]
    for size in sizes if options.block is None else [options.block]:
        smaller = TilePlan(shape, options.size, options.overlap, size)
        for seed in range(options.seed, options.seed + TRIES):
            blocks = assign_splits(smaller, shares_of(options), seed, options.gap)
            yield blocks, options.model_copy(update={"block": size, "seed": seed})


def _holding(plan: TilePlan, labels: ReviewedLabels, status: str) -> list[Window]:
    """The chips that hold a pixel of a polygon of this status."""
    rows, cols = plan.tiles
    windows = map(plan.tile_window, product(range(rows), range(cols)))
    return [window for window in windows if labels.holds(status, window)]
