"""Stores of a run in its work folder: logits by tile, probability by pixel; zarr 3, ours alone.

A task writes whole chunks that no other task writes, so there is nothing to lock, and a chunk
that exists is complete: zarr renames it into place.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.core.array_spec import ArrayConfigParams

from geochange.grid.probability import NODATA
from geochange.grid.tiling import Index, TilePlan, Window
from geochange.land import UNSEEN
from geochange.raster.pictures.thumbnail import Miniature, Small

EVERY_CHUNK: ArrayConfigParams = {"write_empty_chunks": True}
"""A chunk that equals its fill value must still appear: its file says that the task is done."""

LOGIT_LIMIT = 1e4
"""Logits are kept in half precision, whose largest finite number is 65504."""


def _create(path: Path, **layout: Any) -> zarr.Array[Any]:
    return zarr.create_array(
        store=path, zarr_format=3, compressors=None, config=EVERY_CHUNK, **layout
    )


def _block_tiles(plan: TilePlan) -> tuple[int, int]:
    """(rows, cols) of tiles in a chunk: a block, or all there are."""
    return min(plan.block_tiles, plan.tiles[0]), min(plan.block_tiles, plan.tiles[1])


def _open(path: Path) -> zarr.Array[Any]:
    # open_array takes a config too, and lets it fall.
    return zarr.open_array(store=path, mode="r+").with_config(EVERY_CHUNK)


@dataclass(frozen=True)
class LogitStore:
    """Logits of change of every tile: (tile row, tile col, height, width) float16, NaN = no data.

    A chunk holds a row of tiles of a block: an output block that needs the last row of the blocks
    above need not read all of them.
    """

    path: Path
    plan: TilePlan

    def create(self) -> None:
        """Lay the store out, empty."""
        plan = self.plan
        tile = (plan.tile_px, plan.tile_px)
        _create(
            self.path,
            shape=(*plan.tiles, *tile),
            chunks=(1, _block_tiles(plan)[1], *tile),
            dtype="float16",
            fill_value=float("nan"),
        )

    def has(self, block: Index) -> bool:
        """Whether a block is there, whole."""
        return all(chunk.exists() for chunk in self._chunks(block))

    def _chunks(self, block: Index) -> list[Path]:
        """The files of a block."""
        rows, _ = self.plan.block_tile_ranges(block)
        return [self.path / "c" / str(row) / str(block[1]) / "0" / "0" for row in rows]

    def put(self, block: Index, logits: NDArray[np.float16]) -> None:
        """Keep the (tile rows, tile cols, height, width) logits of a block, within LOGIT_LIMIT."""
        rows, cols = self.plan.block_tile_ranges(block)
        _open(self.path)[rows.start : rows.stop, cols.start : cols.stop] = logits

    def get(self, rows: range, cols: range) -> NDArray[np.float16]:
        """The logits of a rectangle of tiles."""
        tiles = _open(self.path)[rows.start : rows.stop, cols.start : cols.stop]
        return np.asarray(tiles)

    def drop(self, block: Index) -> None:
        """Give the disk space of a block back."""
        for chunk in self._chunks(block):
            chunk.unlink(missing_ok=True)


@dataclass(frozen=True)
class LandStore:
    """What stands on the pixels of every tile: (tile row, tile col, date, height, width) uint8.

    Numbers of classes; UNSEEN = no data. It stays until a run has ended: a run that goes on reads
    it anew.
    """

    path: Path
    plan: TilePlan

    def create(self) -> None:
        """Lay the store out, empty."""
        plan = self.plan
        tile = (2, plan.tile_px, plan.tile_px)
        _create(
            self.path,
            shape=(*plan.tiles, *tile),
            chunks=(1, _block_tiles(plan)[1], *tile),
            dtype="uint8",
            fill_value=UNSEEN,
        )

    def put(self, block: Index, land: NDArray[np.uint8]) -> None:
        """Keep the (tile rows, tile cols, date, height, width) of a block."""
        rows, cols = self.plan.block_tile_ranges(block)
        _open(self.path)[rows.start : rows.stop, cols.start : cols.stop] = land

    def get(self, rows: range, cols: range) -> NDArray[np.uint8]:
        """Those of a rectangle of tiles."""
        tiles = _open(self.path)[rows.start : rows.stop, cols.start : cols.stop]
        return np.asarray(tiles)


@dataclass(frozen=True)
class ScoreStore:
    """Class scores of every tile: (tile row, tile col, date, class) float32, NaN = not scored.

    What changed, by name, is told from them; a chunk holds a block of tiles.
    """

    path: Path
    plan: TilePlan
    classes: tuple[str, ...]

    def create(self) -> None:
        """Lay the store out, empty; the names of the classes go with it."""
        plan = self.plan
        _create(
            self.path,
            shape=(*plan.tiles, 2, len(self.classes)),
            chunks=(*_block_tiles(plan), 2, len(self.classes)),
            dtype="float32",
            fill_value=float("nan"),
            attributes={"classes": list(self.classes)},
        )

    def put(self, block: Index, scores: NDArray[np.float32]) -> None:
        """Keep the (tile rows, tile cols, date, class) scores of a block."""
        rows, cols = self.plan.block_tile_ranges(block)
        _open(self.path)[rows.start : rows.stop, cols.start : cols.stop] = scores

    def get(self, rows: range, cols: range) -> NDArray[np.float32]:
        """The scores of a rectangle of tiles."""
        return np.asarray(_open(self.path)[rows.start : rows.stop, cols.start : cols.stop])


@dataclass(frozen=True)
class ProbabilityStore:
    """The stitched probability of change, (height, width) uint8; a chunk is an output block."""

    path: Path
    plan: TilePlan

    def create(self) -> None:
        """Lay the store out, empty."""
        plan = self.plan
        _create(
            self.path,
            shape=plan.shape,
            chunks=(plan.rows.output_px, plan.cols.output_px),
            dtype="uint8",
            fill_value=NODATA,
        )

    def has(self, output: Index) -> bool:
        """Whether an output block is there, whole."""
        return (self.path / "c" / str(output[0]) / str(output[1])).exists()

    def put(self, output: Index, probability: NDArray[np.uint8]) -> None:
        """Keep the probability of an output block."""
        window = self.plan.output_window(output)
        _open(self.path)[window.within(self.plan.whole)] = probability

    def get(self, window: Window) -> NDArray[np.uint8]:
        """The probability in any window of the raster."""
        return np.asarray(_open(self.path)[window.within(self.plan.whole)])


@dataclass(frozen=True)
class PictureStore:
    """A miniature of one date, by block of tiles: (block row, block col, row, col, band).

    The last band says where there is data. A chunk is what a block saw; it is larger than some
    blocks need. like: (band,) of the dtype and the bands of the pixels.
    """

    path: Path
    plan: TilePlan
    miniature: Miniature
    like: NDArray[Any]

    def create(self) -> None:
        """Lay the store out, empty."""
        blocks = self.plan.rows.blocks, self.plan.cols.blocks
        rows, cols = (
            max(len(cells.owned(*axis.owned_span(block))) for block in range(axis.blocks))
            for cells, axis in zip(
                self.miniature.axes, (self.plan.rows, self.plan.cols), strict=True
            )
        )
        chunk = (1, 1, max(1, rows), max(1, cols), len(self.like) + 1)
        shape = (*blocks, *chunk[2:])
        _create(self.path, shape=shape, chunks=chunk, dtype=self.like.dtype, fill_value=0)

    def put(self, block: Index, small: Small) -> None:
        """Keep what a block saw in its own cells."""
        pixels, valid = small
        store = _open(self.path)
        chunk = np.zeros(store.shape[2:], self.like.dtype)
        height, width = valid.shape
        chunk[:height, :width, :-1] = pixels
        chunk[:height, :width, -1] = valid
        store[block[0], block[1]] = chunk

    def get(self) -> Small:
        """All that was seen: (rows, cols, band) of cells, and where there is data."""
        store, cells = _open(self.path), self.miniature.whole
        whole = np.zeros((cells.height, cells.width, len(self.like) + 1), self.like.dtype)
        for block in self.plan.blocks():
            own = self.miniature.owned(self.plan.owned_window(block))
            chunk = np.asarray(store[block[0], block[1]])
            whole[own.within(cells)] = chunk[: own.height, : own.width]
        return whole[..., :-1], whole[..., -1] > 0
