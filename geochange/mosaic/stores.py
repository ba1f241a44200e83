"""Stores of a run in its work folder: logits by tile, probability by pixel, in zarr 3.

A task writes whole chunks that no other task writes, so no locks are needed. Each chunk ends with
the checksum of its bytes. A chunk that does not match it counts as not done.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.grid.probability_bytes import NODATA
from geochange.grid.tiling import Index, TilePlan, Window
from geochange.land_cover import NO_LAND_CLASS
from geochange.mosaic.checked_array import CheckedArray, Layout
from geochange.raster.pictures.thumbnail import Thumbnail, ThumbnailPixels
from geochange.storage.work_store import WorkStore

LOGIT_LIMIT = 1e4
"""The largest absolute logit. Logits are stored in half precision, whose maximum is 65504."""

READERS = 8
"""Threads that read small chunks, because a server answers after some time."""

CACHED_CHECKS = 4096
"""The number of output blocks whose check is cached, because several tasks check each."""


def _block_tiles(plan: TilePlan) -> tuple[int, int]:
    """(rows, cols) of tiles in a chunk: a block, or fewer if there are fewer tiles."""
    return min(plan.block_tiles, plan.tiles[0]), min(plan.block_tiles, plan.tiles[1])


def _array_indices(rows: range, cols: range) -> tuple[slice, slice]:
    """The indices of a rectangle of tiles in an array."""
    return slice(rows.start, rows.stop), slice(cols.start, cols.stop)


def _is_intact_block(array: CheckedArray, plan: TilePlan, block: Index) -> bool:
    """Whether a block with a chunk for each row of tiles exists and is intact.

    A new run has no chunk at all, so the first one is looked for before all are read.
    """
    rows, cols = plan.block_tile_ranges(block)
    stored = array.stamp(rows.start, block[1]) is not None
    return stored and array.is_intact(_array_indices(rows, cols))


@dataclass(frozen=True)
class LogitStore:
    """Logits of change of every tile: (tile row, tile col, height, width) float16, NaN = no data.

    A chunk holds one row of tiles of a block. So an output block that needs only the last row of the
    blocks above does not read the others.
    """

    work: WorkStore
    plan: TilePlan

    @property
    def array(self) -> CheckedArray:
        """The array of the store."""
        plan = self.plan
        tile = (plan.tile_px, plan.tile_px)
        chunks = (1, _block_tiles(plan)[1], *tile)
        layout = Layout((*plan.tiles, *tile), chunks, "float16", math.nan)
        return CheckedArray(self.work, "logits.zarr", layout)

    def has(self, block: Index) -> bool:
        """Whether a block exists and is intact. The block is read for this."""
        return _is_intact_block(self.array, self.plan, block)

    def exists(self, block: Index) -> bool:
        """Whether every chunk of a block exists."""
        rows, _ = self.plan.block_tile_ranges(block)
        return all(self.array.stamp(row, block[1]) is not None for row in rows)

    def put(self, block: Index, logits: NDArray[np.float16]) -> None:
        """Store the (tile rows, tile cols, height, width) logits of a block, clipped to LOGIT_LIMIT."""
        self.array.write(_array_indices(*self.plan.block_tile_ranges(block)), logits)

    def get(self, rows: range, cols: range, sparse: bool = False) -> NDArray[np.float16]:
        """The logits of a rectangle of tiles. Raises DamagedStoreError.

        sparse: whether missing chunks are no data.
        """
        return self.array.read(_array_indices(rows, cols), sparse)

    def drop(self, block: Index) -> None:
        """Delete a block, to free space."""
        rows, _ = self.plan.block_tile_ranges(block)
        self.work.delete([self.array.chunk_key(row, block[1]) for row in rows])


@dataclass(frozen=True)
class LandStore:
    """Land cover of every tile: (tile row, tile col, date, height, width) uint8.

    Class numbers; NO_LAND_CLASS = no data. It stays until a run has ended, because a resumed run reads it
    again.
    """

    work: WorkStore
    plan: TilePlan

    @property
    def array(self) -> CheckedArray:
        """The array of the store."""
        plan = self.plan
        tile = (2, plan.tile_px, plan.tile_px)
        chunks = (1, _block_tiles(plan)[1], *tile)
        layout = Layout((*plan.tiles, *tile), chunks, "uint8", NO_LAND_CLASS)
        return CheckedArray(self.work, "land.zarr", layout)

    def has(self, block: Index) -> bool:
        """Whether the classes of a block exist and are intact. They are read for this."""
        return _is_intact_block(self.array, self.plan, block)

    def put(self, block: Index, land: NDArray[np.uint8]) -> None:
        """Store the (tile rows, tile cols, date, height, width) classes of a block."""
        self.array.write(_array_indices(*self.plan.block_tile_ranges(block)), land)

    def get(self, rows: range, cols: range, sparse: bool = False) -> NDArray[np.uint8]:
        """The classes of a rectangle of tiles. Raises DamagedStoreError.

        sparse: whether missing chunks are no data.
        """
        return self.array.read(_array_indices(rows, cols), sparse)


@dataclass(frozen=True)
class ScoreStore:
    """Class scores of every tile: (tile row, tile col, date, class) float32, NaN = not scored.

    The names of changes are derived from them. A chunk holds a block of tiles.
    """

    work: WorkStore
    plan: TilePlan
    classes: tuple[str, ...]

    @property
    def array(self) -> CheckedArray:
        """The array of the store, with the names of the classes."""
        plan, pair = self.plan, (2, len(self.classes))
        layout = Layout(
            (*plan.tiles, *pair),
            (*_block_tiles(plan), *pair),
            "float32",
            math.nan,
            (("classes", self.classes),),
        )
        return CheckedArray(self.work, "scores.zarr", layout)

    def put(self, block: Index, scores: NDArray[np.float32]) -> None:
        """Store the (tile rows, tile cols, date, class) scores of a block."""
        self.array.write(_array_indices(*self.plan.block_tile_ranges(block)), scores)

    def has(self, block: Index) -> bool:
        """Whether the scores of a block exist and are intact. They are read for this."""
        stored = self.array.stamp(*block) is not None
        return stored and self.array.is_intact(_array_indices(*self.plan.block_tile_ranges(block)))

    def get(self, rows: range, cols: range) -> NDArray[np.float32]:
        """The scores of a rectangle of tiles. Raises DamagedStoreError."""
        return self.array.read(_array_indices(rows, cols))


@dataclass(frozen=True)
class ProbabilityStore:
    """The stitched probability of change, (height, width) uint8. A chunk is an output block."""

    work: WorkStore
    plan: TilePlan

    @property
    def array(self) -> CheckedArray:
        """The array of the store."""
        plan = self.plan
        chunks = (plan.rows.output_px, plan.cols.output_px)
        return CheckedArray(
            self.work, "probability.zarr", Layout(plan.shape, chunks, "uint8", NODATA)
        )

    def has(self, output: Index) -> bool:
        """Whether an output block exists and is intact. It is read once for this."""
        stamp = self.array.stamp(*output)
        return stamp is not None and _is_intact_output(self, output, stamp)

    def put(self, output: Index, probability: NDArray[np.uint8]) -> None:
        """Store the probability of an output block."""
        window = self.plan.output_window(output)
        self.array.write(window.within(self.plan.full_window), probability)

    def get(self, window: Window) -> NDArray[np.uint8]:
        """The probability in a window of stored output blocks. Raises DamagedStoreError."""
        return self.array.read(window.within(self.plan.full_window))


@lru_cache(CACHED_CHECKS)
def _is_intact_output(store: ProbabilityStore, output: Index, stamp: Hashable) -> bool:
    """Whether the chunk of an output block is intact; `stamp` changes when it is written."""
    window = store.plan.output_window(output)
    return store.array.is_intact(window.within(store.plan.full_window))


@dataclass(frozen=True)
class ThumbnailStore:
    """A thumbnail of one date, by block of tiles: (block row, block col, row, col, band).

    The last band marks cells with data. A chunk holds the cells of a block; some blocks need less than
    a chunk. template: (band,) of the dtype and the bands of the pixels.
    """

    work: WorkStore
    name: str
    plan: TilePlan
    thumbnail: Thumbnail
    template: NDArray[Any]

    @property
    def array(self) -> CheckedArray:
        """The array of the store."""
        blocks = self.plan.rows.blocks, self.plan.cols.blocks
        chunk = self._chunk_shape
        layout = Layout((*blocks, *chunk), (1, 1, *chunk), self.template.dtype.name, 0)
        return CheckedArray(self.work, f"{self.name}.zarr", layout)

    @property
    def _chunk_shape(self) -> tuple[int, int, int]:
        """(rows, cols) of the largest block in cells, and the number of bands."""
        rows, cols = (
            max(len(cells.owned(*axis.owned_span(block))) for block in range(axis.blocks))
            for cells, axis in zip(
                self.thumbnail.axes, (self.plan.rows, self.plan.cols), strict=True
            )
        )
        return max(1, rows), max(1, cols), len(self.template) + 1

    def put(self, block: Index, small: ThumbnailPixels) -> None:
        """Store the cells that a block owns."""
        pixels, valid = small
        chunk = np.zeros(self._chunk_shape, self.template.dtype)
        height, width = valid.shape
        chunk[:height, :width, :-1] = pixels
        chunk[:height, :width, -1] = valid
        self.array.write(block, chunk)

    def get(self, blocks: Iterable[Index]) -> ThumbnailPixels:
        """The whole thumbnail: (rows, cols, band) of cells, and where there is data.

        blocks: those with cells. Raises DamagedStoreError.
        """
        cells = self.thumbnail.full_window
        whole = np.zeros((cells.height, cells.width, len(self.template) + 1), self.template.dtype)
        with ThreadPoolExecutor(READERS) as pool:
            chunks = pool.map(lambda block: (block, self.array.read(block)), blocks)
            for block, chunk in chunks:
                own = self.thumbnail.owned(self.plan.owned_window(block))
                whole[own.within(cells)] = chunk[: own.height, : own.width]
        return whole[..., :-1], whole[..., -1] > 0
