"""Active tiles: the part of a plan that is processed: all of it, or the part that an area touches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np

from geochange.errors import RunError
from geochange.grid.tiling import Index, TilePlan, Window
from geochange.storage.work_store import WorkStore, read_checksummed, write_checksummed
from geochange.vector.aoi import AreaOfInterest


@dataclass(frozen=True)
class ActiveTiles:
    """The tiles that are inferred, and the output blocks that are stitched from them.

    All tiles that hold a pixel of the area are inferred. So leaving out the others changes nothing
    inside the area.
    """

    plan: TilePlan
    area: AreaOfInterest | None = None

    def tiles_of(self, block: Index) -> tuple[Index, ...]:
        """The tiles of a block that are inferred, row by row."""
        tiles = list(product(*self.plan.block_tile_ranges(block)))
        if self.area is None:
            return tuple(tiles)
        if not self.area.touches(self.plan.block_window(block)):
            return ()
        touched = self.area.touched([self.plan.tile_window(tile) for tile in tiles])
        return tuple(tile for tile, here in zip(tiles, touched, strict=True) if here)

    def blocks(self) -> Iterator[Index]:
        """The blocks that have tiles to infer, row by row."""
        return (block for block in self.plan.blocks() if self.tiles_of(block))

    def has_output(self, output: Index) -> bool:
        """Whether an output block is stitched."""
        return self.area is None or self.area.touches(self.plan.output_window(output))

    def outputs(self) -> Iterator[Index]:
        """The output blocks that are stitched, row by row."""
        rows, cols = self.plan.outputs
        for row in range(rows):
            indices = [(row, col) for col in range(cols)]
            if self.area is None:
                yield from indices
            else:
                touched = self.area.touched([self.plan.output_window(each) for each in indices])
                yield from (each for each, here in zip(indices, touched, strict=True) if here)

    def outputs_of(self, block: Index) -> tuple[Index, ...]:
        """The output blocks that gather from a block of tiles."""
        return tuple(output for output in self.plan.outputs_of(block) if self.has_output(output))

    def needed_blocks(self, output: Index) -> tuple[Index, ...]:
        """The blocks of tiles that an output block gathers from, in index order."""
        needed = self.plan.needed_blocks(output)
        return needed if self.area is None else tuple(b for b in needed if self.tiles_of(b))

    def runs_of(self, block: Index) -> list[tuple[Window, list[Index]]]:
        """Windows to read for a block, each with its tiles, without pixels of tiles that are left out.

        It is one window if all tiles are inferred, else one for each run of neighbours in a row.
        """
        tiles = self.tiles_of(block)
        rows, cols = self.plan.block_tile_ranges(block)
        if len(tiles) == len(rows) * len(cols):
            return [(self.plan.block_window(block), list(tiles))]
        runs: list[list[Index]] = []
        for tile in tiles:
            if runs and runs[-1][-1] == (tile[0], tile[1] - 1):
                runs[-1].append(tile)
            else:
                runs.append([tile])
        return [(self._around(run), run) for run in runs]

    def _around(self, run: list[Index]) -> Window:
        first, last = self.plan.tile_window(run[0]), self.plan.tile_window(run[-1])
        return Window(first.row, first.col, first.height, last.col_stop - first.col)

    @cached_property
    def counts(self) -> tuple[int, int]:
        """The number of tiles to infer, and of their blocks."""
        if self.area is None:
            return self.plan.tile_count, self.plan.rows.blocks * self.plan.cols.blocks
        tiles = [len(self.tiles_of(block)) for block in self.plan.blocks()]
        return sum(tiles), int(np.count_nonzero(tiles))

    @property
    def share(self) -> float:
        """The share of the plan's tiles that is inferred."""
        return self.counts[0] / self.plan.tile_count

    @cached_property
    def pixels(self) -> int:
        """The number of pixels of the output blocks that are stitched."""
        if self.area is None:
            return self.plan.full_window.pixels
        return sum(self.plan.output_window(output).pixels for output in self.outputs())

    @property
    def middle(self) -> Window:
        """The window of a tile in the middle, or the whole raster."""
        if self.area is None:
            return self.plan.full_window
        row, col = self.area.place
        rows, cols = self.plan.touching_tiles(Window(row, col, 1, 1))
        return self.plan.tile_window((rows[len(rows) // 2], cols[len(cols) // 2]))


_areas: dict[str, AreaOfInterest] = {}
"""The areas of this process by their digest."""

AREA_FILE = "area.wkb"


def register_area(area: AreaOfInterest) -> str:
    """Register an area in this process. Returns the digest by which `area_of` finds it."""
    _areas[area.digest] = area
    return area.digest


def store_area(digest: str, work: WorkStore) -> None:
    """Store a registered area in the work of a run, for its other processes."""
    write_checksummed(work, AREA_FILE, _areas[digest].to_bytes())


def area_of(digest: str, work: WorkStore) -> AreaOfInterest:
    """The area of a digest, read from the work if it is not registered. Raises RunError."""
    if digest not in _areas:
        packed = read_checksummed(work, AREA_FILE)
        if packed is None:
            raise RunError(
                f"{work}/{AREA_FILE}: cannot be read, perhaps it was deleted; the same command "
                "again writes it"
            )
        register_area(AreaOfInterest.from_bytes(packed))
    return _areas[digest]
