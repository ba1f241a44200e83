"""Spatial blocks: large squares of a raster, each of one split, so that neighbours do not leak.

Randomly drawn chips put chips into validation whose neighbours, of the same fields in the same
light, are in training. Blocks keep neighbours together (Roberts et al. 2017, "Cross-validation
strategies for data with temporal, spatial, hierarchical, or phylogenetic structure", doi
10.1111/ecog.02881).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np

from geochange.errors import OptionError
from geochange.grid.tiling import Axis, TilePlan, Window


@dataclass(frozen=True)
class SpatialBlocks:
    """The split of each block of a raster.

    rows, cols: the first row and column of each block; the last block ends with the raster. owners:
    the split of each block, row by row. splits: their names; a gap is taken from the earlier of
    two. gap_px: the distance between chips of different splits.
    """

    rows: tuple[int, ...]
    cols: tuple[int, ...]
    owners: tuple[int, ...]
    splits: tuple[str, ...]
    gap_px: int = 0

    def split_of(self, window: Window) -> str | None:
        """The split of a window; None where it crosses into another split or a gap."""
        owners = self._owners(window)
        if len(owners) > 1:
            return None
        (owner,) = owners
        gap = self.gap_px
        grown = Window(
            window.row - gap, window.col - gap, window.height + 2 * gap, window.width + 2 * gap
        )
        return None if max(self._owners(grown)) > owner else self.splits[owner]

    def _owners(self, window: Window) -> set[int]:
        rows = _blocks_of(self.rows, window.row, window.row_stop)
        cols = _blocks_of(self.cols, window.col, window.col_stop)
        return {self.owners[row * len(self.cols) + col] for row, col in product(rows, cols)}


def _blocks_of(starts: tuple[int, ...], start: int, stop: int) -> range:
    first = max(0, bisect_right(starts, start) - 1)
    return range(first, max(first + 1, bisect_right(starts, stop - 1)))


def count_blocks(plan: TilePlan) -> int:
    """The number of blocks of a plan."""
    return len(_chips_by_block(plan.rows)) * len(_chips_by_block(plan.cols))


def assign_splits(
    plan: TilePlan, shares: Mapping[str, float], seed: int, gap_px: int = 0
) -> SpatialBlocks:
    """Assign the blocks of a plan to splits at random, each about its share of the chips.

    shares: by split, all above 0 and 1 in total; the first split gets what is left over. Every
    split gets at least one block; shares are kept to about half a block. Raises OptionError where
    there are fewer blocks than splits.
    """
    rows, cols = _chips_by_block(plan.rows), _chips_by_block(plan.cols)
    chips = np.outer(rows, cols).ravel()
    if len(chips) < len(shares):
        without = " ".join(f"--{name} 0" for name in list(shares)[1:])
        raise OptionError(
            f"--block {plan.block_tiles}: the pair has {len(chips)} block(s) of that many chips a "
            f"side, too few for {' and '.join(shares)}; choose a smaller --block or --size, or fewer "
            f"splits ({without})"
        )
    order = list(np.random.default_rng(seed).permutation(len(chips)))
    owners = np.zeros(len(chips), np.int64)
    for number, share in reversed(list(enumerate(shares.values()))[1:]):
        had, wanted = 0.0, share * chips.sum()
        # Enough blocks must remain for the splits that follow.
        while len(order) > number and (had == 0 or had + chips[order[-1]] / 2 <= wanted):
            block = order.pop()
            owners[block] = number
            had += chips[block]
    return SpatialBlocks(
        rows=_block_starts(plan.rows, len(rows)),
        cols=_block_starts(plan.cols, len(cols)),
        owners=tuple(map(int, owners)),
        splits=tuple(shares),
        gap_px=gap_px,
    )


def _chips_by_block(axis: Axis) -> list[int]:
    """The number of chips of each block along an axis.

    A last block of less than half joins the one before.
    The chip that is moved inward at the end is on no lattice and is not counted.
    """
    chips = max(1, (axis.size_px - axis.overlap_px) // axis.stride_px)
    blocks = max(1, (2 * chips + axis.block_tiles) // (2 * axis.block_tiles))
    return [axis.block_tiles] * (blocks - 1) + [chips - axis.block_tiles * (blocks - 1)]


def _block_starts(axis: Axis, blocks: int) -> tuple[int, ...]:
    return tuple(block * axis.output_px for block in range(blocks))
