"""Stores of a run in its work folder: logits by tile, probability by pixel, in zarr 3.

A task writes whole chunks that no other task writes, so no locks are needed. Each chunk ends with
the checksum of its bytes. A chunk that does not match it counts as not done.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.grid.probability import NODATA
from geochange.grid.tiling import Index, TilePlan, Window
from geochange.land_cover import NO_LAND_CLASS
from geochange.mosaic.checked_array import create, is_intact, read, write
from geochange.raster.pictures.thumbnail import Thumbnail, ThumbnailPixels

LOGIT_LIMIT = 1e4
"""The largest absolute logit. Logits are stored in half precision, whose maximum is 65504."""

CACHED_CHECKS = 4096
"""The number of output blocks whose check is cached, because several tasks check each."""


def _block_tiles(plan: TilePlan) -> tuple[int, int]:
    """(rows, cols) of tiles in a chunk: a block, or fewer if there are fewer tiles."""
    return min(plan.block_tiles, plan.tiles[0]), min(plan.block_tiles, plan.tiles[1])


def _array_indices(rows: range, cols: range) -> tuple[slice, slice]:
    """The indices of a rectangle of tiles in an array."""
    return slice(rows.start, rows.stop), slice(cols.start, cols.stop)


@dataclass(frozen=True)
class LogitStore:
    """Logits of change of every tile: (tile row, tile col, height, width) float16, NaN = no data.

    A chunk holds one row of tiles of a block. So an output block that needs only the last row of the
    blocks above does not read the others.
    """

    path: Path
    plan: TilePlan

    def create(self) -> None:
        """Create the store. Existing chunks stay."""
        plan = self.plan
        tile = (plan.tile_px, plan.tile_px)
        create(
            self.path,
            shape=(*plan.tiles, *tile),
            chunks=(1, _block_tiles(plan)[1], *tile),
            dtype="float16",
            fill_value=float("nan"),
        )

    def has(self, block: Index) -> bool:
        """Whether a block exists and is intact. The block is read for this."""
        return self.exists(block) and is_intact(
            self.path, _array_indices(*self.plan.block_tile_ranges(block))
        )

    def exists(self, block: Index) -> bool:
        """Whether every chunk of a block exists."""
        return all(chunk.is_file() for chunk in self._chunks(block))

    def _chunks(self, block: Index) -> list[Path]:
        """The files of a block."""
        rows, _ = self.plan.block_tile_ranges(block)
        return [self.path / "c" / str(row) / str(block[1]) / "0" / "0" for row in rows]

    def put(self, block: Index, logits: NDArray[np.float16]) -> None:
        """Store the (tile rows, tile cols, height, width) logits of a block, clipped to LOGIT_LIMIT."""
        write(self.path, _array_indices(*self.plan.block_tile_ranges(block)), logits)

    def get(self, rows: range, cols: range) -> NDArray[np.float16]:
        """The logits of a rectangle of tiles. Raises DamagedStoreError."""
        return read(self.path, _array_indices(rows, cols))

    def drop(self, block: Index) -> None:
        """Delete a block, to free disk space."""
        for chunk in self._chunks(block):
            chunk.unlink(missing_ok=True)


@dataclass(frozen=True)
class LandStore:
    """Land cover of every tile: (tile row, tile col, date, height, width) uint8.

    Class numbers; NO_LAND_CLASS = no data. It stays until a run has ended, because a resumed run reads it
    again.
    """

    path: Path
    plan: TilePlan

    def create(self) -> None:
        """Create the store. Existing chunks stay."""
        plan = self.plan
        tile = (2, plan.tile_px, plan.tile_px)
        create(
            self.path,
            shape=(*plan.tiles, *tile),
            chunks=(1, _block_tiles(plan)[1], *tile),
            dtype="uint8",
            fill_value=NO_LAND_CLASS,
        )

    def has(self, block: Index) -> bool:
        """Whether the classes of a block exist and are intact. They are read for this."""
        rows, _ = self.plan.block_tile_ranges(block)
        chunks = [self.path / "c" / str(row) / str(block[1]) / "0" / "0" / "0" for row in rows]
        there = all(chunk.is_file() for chunk in chunks)
        return there and is_intact(self.path, _array_indices(*self.plan.block_tile_ranges(block)))

    def put(self, block: Index, land: NDArray[np.uint8]) -> None:
        """Store the (tile rows, tile cols, date, height, width) classes of a block."""
        write(self.path, _array_indices(*self.plan.block_tile_ranges(block)), land)

    def get(self, rows: range, cols: range) -> NDArray[np.uint8]:
        """The classes of a rectangle of tiles. Raises DamagedStoreError."""
        return read(self.path, _array_indices(rows, cols))


@dataclass(frozen=True)
class ScoreStore:
    """Class scores of every tile: (tile row, tile col, date, class) float32, NaN = not scored.

    The names of changes are derived from them. A chunk holds a block of tiles.
    """

    path: Path
    plan: TilePlan
    classes: tuple[str, ...]

    def create(self) -> None:
        """Create the store, with the names of the classes. Existing chunks stay."""
        plan = self.plan
        create(
            self.path,
            shape=(*plan.tiles, 2, len(self.classes)),
            chunks=(*_block_tiles(plan), 2, len(self.classes)),
            dtype="float32",
            fill_value=float("nan"),
            attributes={"classes": list(self.classes)},
        )

    def put(self, block: Index, scores: NDArray[np.float32]) -> None:
        """Store the (tile rows, tile cols, date, class) scores of a block."""
        write(self.path, _array_indices(*self.plan.block_tile_ranges(block)), scores)

    def has(self, block: Index) -> bool:
        """Whether the scores of a block exist and are intact. They are read for this."""
        chunk = self.path / "c" / str(block[0]) / str(block[1]) / "0" / "0"
        return chunk.is_file() and is_intact(
            self.path, _array_indices(*self.plan.block_tile_ranges(block))
        )

    def get(self, rows: range, cols: range) -> NDArray[np.float32]:
        """The scores of a rectangle of tiles. Raises DamagedStoreError."""
        return read(self.path, _array_indices(rows, cols))


@dataclass(frozen=True)
class ProbabilityStore:
    """The stitched probability of change, (height, width) uint8. A chunk is an output block."""

    path: Path
    plan: TilePlan

    def create(self) -> None:
        """Create the store. Existing chunks stay."""
        plan = self.plan
        create(
            self.path,
            shape=plan.shape,
            chunks=(plan.rows.output_px, plan.cols.output_px),
            dtype="uint8",
            fill_value=NODATA,
        )

    def has(self, output: Index) -> bool:
        """Whether an output block exists and is intact. It is read once for this."""
        chunk = self.path / "c" / str(output[0]) / str(output[1])
        if not chunk.is_file():
            return False
        status = chunk.stat()
        return _is_intact_output(self, output, (status.st_mtime_ns, status.st_size, status.st_ino))

    def put(self, output: Index, probability: NDArray[np.uint8]) -> None:
        """Store the probability of an output block."""
        window = self.plan.output_window(output)
        write(self.path, window.within(self.plan.full_window), probability)

    def get(self, window: Window) -> NDArray[np.uint8]:
        """The probability in any window of the raster. Raises DamagedStoreError."""
        return read(self.path, window.within(self.plan.full_window))


@lru_cache(CACHED_CHECKS)
def _is_intact_output(store: ProbabilityStore, output: Index, stamp: tuple[int, int, int]) -> bool:
    """Whether the chunk of an output block is intact; `stamp` holds its time and size."""
    window = store.plan.output_window(output)
    return is_intact(store.path, window.within(store.plan.full_window))


@dataclass(frozen=True)
class ThumbnailStore:
    """A thumbnail of one date, by block of tiles: (block row, block col, row, col, band).

    The last band marks cells with data. A chunk holds the cells of a block; some blocks need less than
    a chunk. template: (band,) of the dtype and the bands of the pixels.
    """

    path: Path
    plan: TilePlan
    thumbnail: Thumbnail
    template: NDArray[Any]

    def create(self) -> None:
        """Create the store. Existing chunks stay."""
        blocks = self.plan.rows.blocks, self.plan.cols.blocks
        create(
            self.path,
            shape=(*blocks, *self._chunk_shape),
            chunks=(1, 1, *self._chunk_shape),
            dtype=self.template.dtype,
            fill_value=0,
        )

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
        write(self.path, block, chunk)

    def exists(self, blocks: Iterable[Index]) -> bool:
        """Whether the cells of all these blocks are stored."""
        chunks = self.path / "c"
        return all((chunks / f"{row}/{col}/0/0/0").is_file() for row, col in blocks)

    def get(self) -> ThumbnailPixels:
        """The whole thumbnail: (rows, cols, band) of cells, and where there is data.

        Raises DamagedStoreError.
        """
        cells = self.thumbnail.full_window
        whole = np.zeros((cells.height, cells.width, len(self.template) + 1), self.template.dtype)
        for block in self.plan.blocks():
            own = self.thumbnail.owned(self.plan.owned_window(block))
            chunk = read(self.path, block)
            whole[own.within(cells)] = chunk[: own.height, : own.width]
        return whole[..., :-1], whole[..., -1] > 0
