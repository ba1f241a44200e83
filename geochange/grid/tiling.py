"""Tiling: the tiles, blocks of tiles and output blocks of a raster, in pure integers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

Index = tuple[int, int]
"""(row, col) of a tile, a block of tiles or an output block, counted from the top left."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of whole pixels by its first row and column and its size.

    It may exceed the raster.
    """

    row: int
    col: int
    height: int
    width: int

    @property
    def row_stop(self) -> int:
        """The first row below the window."""
        return self.row + self.height

    @property
    def col_stop(self) -> int:
        """The first column to the right of the window."""
        return self.col + self.width

    @property
    def pixels(self) -> int:
        """The number of pixels."""
        return self.height * self.width

    def intersection(self, other: Window) -> Window | None:
        """The part shared with `other`; None where there is none."""
        row, col = max(self.row, other.row), max(self.col, other.col)
        height = min(self.row_stop, other.row_stop) - row
        width = min(self.col_stop, other.col_stop) - col
        return Window(row, col, height, width) if height > 0 and width > 0 else None

    def within(self, outer: Window) -> tuple[slice, slice]:
        """The slices of this window in an array that holds `outer`."""
        row, col = self.row - outer.row, self.col - outer.col
        return slice(row, row + self.height), slice(col, col + self.width)

    def moved(self, rows: int, cols: int) -> Window:
        """The window shifted by `rows` down and `cols` to the right."""
        return Window(self.row + rows, self.col + cols, self.height, self.width)

    def scaled(self, rows: float, cols: float) -> Window:
        """The same part of a raster with so many times as many pixels; at least one pixel."""
        row, col = round(self.row * rows), round(self.col * cols)
        height = round(self.row_stop * rows) - row
        width = round(self.col_stop * cols) - col
        return Window(row, col, max(1, height), max(1, width))


@dataclass(frozen=True)
class Axis:
    """Tiles along one axis: each `tile_px` long, `overlap_px` shared with the next.

    The last tile is moved inward to end with the raster, which needs no special case elsewhere. A
    raster shorter than a tile has one tile that exceeds it.
    """

    size_px: int
    tile_px: int
    overlap_px: int
    block_tiles: int

    @property
    def stride_px(self) -> int:
        """The distance between the starts of neighbouring tiles."""
        return self.tile_px - self.overlap_px

    @cached_property
    def tiles(self) -> int:
        """The number of tiles."""
        return 1 + max(0, -(-(self.size_px - self.tile_px) // self.stride_px))

    @property
    def blocks(self) -> int:
        """The number of blocks of tiles."""
        return -(-self.tiles // self.block_tiles)

    @property
    def output_px(self) -> int:
        """The length of an output block: the strides of the tiles of a block."""
        return self.block_tiles * self.stride_px

    @property
    def outputs(self) -> int:
        """The number of output blocks."""
        return -(-self.size_px // self.output_px)

    def start(self, tile: int) -> int:
        """The first pixel of a tile."""
        return min(tile * self.stride_px, max(0, self.size_px - self.tile_px))

    def block_range(self, block: int) -> range:
        """The tiles of a block."""
        return range(block * self.block_tiles, min(self.tiles, (block + 1) * self.block_tiles))

    def output_span(self, output: int) -> tuple[int, int]:
        """The first pixel of an output block, and the first after it."""
        return output * self.output_px, min(self.size_px, (output + 1) * self.output_px)

    def owned_span(self, block: int) -> tuple[int, int]:
        """The pixels that belong to this block of tiles alone; the last block has the rest."""
        start, stop = self.output_span(block)
        return start, self.size_px if block == self.blocks - 1 else stop

    def outputs_of(self, block: int) -> range:
        """The output blocks that hold at least one pixel of the tiles of a block."""
        tiles = self.block_range(block)
        stop = min(self.size_px, self.start(tiles[-1]) + self.tile_px)
        return range(self.start(tiles[0]) // self.output_px, (stop - 1) // self.output_px + 1)

    def touching(self, start: int, stop: int) -> range:
        """The tiles that hold at least one pixel of start..stop."""
        first = max(0, (start - self.tile_px) // self.stride_px + 1)
        first = min(first, self.tiles - 1)
        last = min(self.tiles - 1, (stop - 1) // self.stride_px)
        if self.start(self.tiles - 1) < stop:
            last = self.tiles - 1
        return range(first, last + 1)


def _between(rows: tuple[int, int], cols: tuple[int, int]) -> Window:
    """The window of two spans (first, stop)."""
    return Window(rows[0], cols[0], rows[1] - rows[0], cols[1] - cols[0])


USUAL_PX, STEP_PX = 256, 32
"""The usual tile, and the step between larger ones, for networks that halve five times."""


def fitting_tile(tile_px: int, shape: tuple[int, int]) -> int:
    """A tile that hardly exceeds a raster: pixels beyond it are black, and networks see that."""
    return min(tile_px, max(USUAL_PX, min(shape) // STEP_PX * STEP_PX))


@dataclass(frozen=True)
class TilePlan:
    """How a raster of `shape` is cut into tiles, tiles into blocks, and the answer into outputs.

    One task infers a block of tiles; one task stitches and vectorises an output block. Neither may
    change the answer.
    """

    shape: tuple[int, int]
    tile_px: int = 256
    overlap_px: int = 64
    block_tiles: int = 8

    def __post_init__(self) -> None:
        if min(self.shape) < 1 or self.tile_px < 1 or self.block_tiles < 1:
            raise ValueError(f"a plan needs pixels: {self}")
        if not 0 <= self.overlap_px < self.tile_px:
            raise ValueError(
                f"overlap of {self.overlap_px} px does not fit tiles of {self.tile_px} px"
            )

    @cached_property
    def rows(self) -> Axis:
        """The tiles from top to bottom."""
        return Axis(self.shape[0], self.tile_px, self.overlap_px, self.block_tiles)

    @cached_property
    def cols(self) -> Axis:
        """The tiles from left to right."""
        return Axis(self.shape[1], self.tile_px, self.overlap_px, self.block_tiles)

    @property
    def tiles(self) -> tuple[int, int]:
        """(rows, cols) of tiles."""
        return self.rows.tiles, self.cols.tiles

    @property
    def tile_count(self) -> int:
        """The number of tiles."""
        return self.rows.tiles * self.cols.tiles

    @property
    def outputs(self) -> tuple[int, int]:
        """(rows, cols) of output blocks."""
        return self.rows.outputs, self.cols.outputs

    @property
    def full_window(self) -> Window:
        """The window of the whole raster."""
        return Window(0, 0, *self.shape)

    def blocks(self) -> Iterator[Index]:
        """Every block of tiles, row by row."""
        return ((row, col) for row in range(self.rows.blocks) for col in range(self.cols.blocks))

    def tile_window(self, tile: Index) -> Window:
        """The pixels of a tile; they exceed a raster smaller than a tile."""
        return Window(
            self.rows.start(tile[0]), self.cols.start(tile[1]), self.tile_px, self.tile_px
        )

    def block_tile_ranges(self, block: Index) -> tuple[range, range]:
        """The tile rows and tile columns of a block."""
        return self.rows.block_range(block[0]), self.cols.block_range(block[1])

    def block_window(self, block: Index) -> Window:
        """The pixels that a block of tiles needs."""
        tile_rows, tile_cols = self.block_tile_ranges(block)
        first = self.tile_window((tile_rows[0], tile_cols[0]))
        last = self.tile_window((tile_rows[-1], tile_cols[-1]))
        return Window(first.row, first.col, last.row_stop - first.row, last.col_stop - first.col)

    def owned_window(self, block: Index) -> Window:
        """The pixels that belong to a block of tiles alone, out of those that it reads."""
        return _between(self.rows.owned_span(block[0]), self.cols.owned_span(block[1]))

    def output_window(self, output: Index) -> Window:
        """The pixels of an output block.

        Together the output blocks cover each pixel of the raster once.
        """
        return _between(self.rows.output_span(output[0]), self.cols.output_span(output[1]))

    def output_windows(self) -> Iterator[Window]:
        """The windows of all output blocks, row by row."""
        rows, cols = self.outputs
        return (self.output_window((row, col)) for row in range(rows) for col in range(cols))

    def touching_tiles(self, window: Window) -> tuple[range, range]:
        """The tile rows and tile columns that hold a pixel of `window`."""
        return (
            self.rows.touching(window.row, window.row_stop),
            self.cols.touching(window.col, window.col_stop),
        )

    def outputs_of(self, block: Index) -> tuple[Index, ...]:
        """The output blocks that gather from a block of tiles: the inverse of `needed_blocks`."""
        rows, cols = self.rows.outputs_of(block[0]), self.cols.outputs_of(block[1])
        return tuple((row, col) for row in rows for col in cols)

    def needed_blocks(self, output: Index) -> tuple[Index, ...]:
        """The blocks of tiles an output block gathers from, in index order."""
        tile_rows, tile_cols = self.touching_tiles(self.output_window(output))
        return tuple(
            (row, col)
            for row in range(
                tile_rows[0] // self.block_tiles, tile_rows[-1] // self.block_tiles + 1
            )
            for col in range(
                tile_cols[0] // self.block_tiles, tile_cols[-1] // self.block_tiles + 1
            )
        )
