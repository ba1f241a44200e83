"""From probability to a file of polygons on one core: speed by area and change, and memory.

python benchmarks/vectorise.py [BLOCKS ...]: rasters with this many blocks of 1536 px per side. The
promise: at least 25 Mpx/s with 2 % change, proportional to the area; the same polygons as GDAL's of
the whole raster; and memory that grows by a few dozen bytes per polygon.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import TypeVar

import geopandas as gpd
import numpy as np
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from scipy import ndimage

from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.memory import limit_malloc_growth
from geochange.vector.changes import ChangeTotals, to_changes
from geochange.vector.files.writers import write_batches
from geochange.vector.generalization.outline_style import OutlineStyle
from geochange.vector.tracing.join_across_blocks import RegionJoiner
from geochange.vector.tracing.region_file import RegionFile, RegionFileWriter
from geochange.vector.tracing.regions import trace_regions

BLOCK_PX = 1536
LEVEL = 127
SQUARES = "squares"

Bytes = NDArray[np.uint8]
T = TypeVar("T")


def blob_block(share: float, sigma_px: float) -> Bytes:
    """A block of round changes that repeats seamlessly. sigma_px is about half their width."""
    noise = np.random.default_rng(0).standard_normal((BLOCK_PX, BLOCK_PX), np.float32)
    relief = ndimage.gaussian_filter(noise, sigma_px, mode="wrap")
    above = (relief - np.quantile(relief, 1 - share)) / relief.std()
    return np.clip(LEVEL + 60 * above, 0, 254).astype(np.uint8)


def single_pixels(share: float) -> Bytes:
    """A block of single pixels, which is the hardest case."""
    rng = np.random.default_rng(0)
    return np.where(rng.random((BLOCK_PX, BLOCK_PX)) < share, 200, 20).astype(np.uint8)


def squares() -> Bytes:
    """A block of 16,384 changes of 5 x 5 pixels, some of which cross its border."""
    lone = np.zeros((12, 12), np.uint8)
    lone[:5, :5] = 200
    return np.roll(np.tile(lone, (BLOCK_PX // 12, BLOCK_PX // 12)), (-2, -2), axis=(0, 1))


class Clock:
    """Seconds by step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, name: str, work: Callable[[], T]) -> T:
        """Run `work` and add its time to a step."""
        started = time.perf_counter()
        done = work()
        self.seconds[name] = self.seconds.get(name, 0) + time.perf_counter() - started
        return done

    def each(self, name: str, tables: Iterator[gpd.GeoDataFrame]) -> Iterator[gpd.GeoDataFrame]:
        """Yield tables, and add the time to create them to a step."""
        while (table := self.time(name, lambda: next(tables, None))) is not None:
            yield table


def gather(block: Bytes, rows: int, cols: int, spill: RegionFileWriter, clock: Clock) -> RegionFile:
    """Trace and join a raster that repeats the same block."""
    height, width = rows * BLOCK_PX, cols * BLOCK_PX
    joiner = RegionJoiner((height, width))
    for row, col in product(range(0, height, BLOCK_PX), range(0, width, BLOCK_PX)):
        window = Window(row, col, BLOCK_PX, BLOCK_PX)
        traced = clock.time("trace", lambda w=window: trace_regions(block, w, LEVEL, width))
        whole = clock.time("join", lambda t=traced: joiner.add(t))
        clock.time("spill", lambda w=whole: spill.put(w))
    return clock.time("join", lambda: spill.finish(joiner.finish()))


def work(
    block: Bytes, rows: int, cols: int, folder: Path, clock: Clock
) -> tuple[RegionFile, ChangeTotals]:
    """From probability to the file, keeping all changes."""
    grid = Grid(
        CRS.from_epsg(32632),
        Affine(0.5, 0, 691000, 0, -0.5, 5335000),
        (rows * BLOCK_PX, cols * BLOCK_PX),
    )
    with open(folder / "outlines.bin", "w+b") as file:
        shelf = gather(block, rows, cols, RegionFileWriter(file), clock)
        tally = ChangeTotals()
        tables = clock.each("smooth, measure", to_changes(shelf, grid, OutlineStyle(), 0))
        write = write_batches
        clock.time("all", lambda: write(tally.of(tables), folder / "changes.gpkg", {}))
    # The time of writing includes waiting for the tables.
    clock.seconds["write"] = clock.seconds.pop("all") - clock.seconds["smooth, measure"]
    return shelf, tally


def measure(name: str, block: Bytes, side: int) -> None:
    clock, pixels = Clock(), (side * BLOCK_PX) ** 2 / 1e6
    with tempfile.TemporaryDirectory() as folder:
        _, tally = work(block, side, side, Path(folder), clock)
    changed = (block >= LEVEL).mean()
    total = sum(clock.seconds.values())
    rates = "  ".join(f"{what} {pixels / spent:6.1f}" for what, spent in clock.seconds.items())
    print(
        f"{name:14} {pixels:6.0f} Mpx, {changed:5.1%} changed, {tally.polygons / pixels:6.0f} "
        f"polygons/Mpx; Mpx/s: {rates}  in all {pixels / total:.1f}",
        flush=True,
    )


def compare(block: Bytes, side: int) -> None:
    """Compare the outlines from blocks with those of GDAL for the whole raster."""
    raster = np.tile(block, (side, side))
    clock = Clock()
    with tempfile.TemporaryFile() as file:
        shelf = gather(block, side, side, RegionFileWriter(file), clock)
        ours = shelf.read(np.arange(len(shelf))).polygons()
    changed = raster >= LEVEL
    drawn = clock.time(
        "GDAL",
        lambda: [
            shapely.Polygon(shape["coordinates"][0], shape["coordinates"][1:])
            for shape, _ in rasterio.features.shapes(
                changed.astype(np.uint8), changed, 4, Affine.translation(1, 1)
            )
        ],
    )
    moved = shapely.transform(np.array(drawn), lambda xy: xy - 1)
    theirs = shapely.normalize(shapely.simplify(shapely.buffer(moved, 0), 0))
    same = set(shapely.to_wkb(ours)) == set(shapely.to_wkb(theirs))
    print(f"{raster.size / 1e6:.0f} Mpx: {len(ours)} outlines, GDAL {len(theirs)}, same: {same}")


def peak(rows: int, cols: int) -> None:
    """Print the number of polygons and the peak memory of this process."""
    limit_malloc_growth()
    with tempfile.TemporaryDirectory() as folder:
        _, tally = work(squares(), rows, cols, Path(folder), Clock())
    print(tally.polygons, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)


def compare_peaks() -> None:
    seen = []
    for rows, cols in ((2, 3), (8, 8)):
        said = subprocess.run(
            [sys.executable, __file__, SQUARES, str(rows), str(cols)],
            check=True,
            capture_output=True,
            text=True,
        )
        seen.append(tuple(map(int, said.stdout.split())))
        print(f"{seen[-1][0]} polygons: peak {seen[-1][1] / 1e6:.0f} MB", flush=True)
    (few, low), (many, high) = seen
    print(f"{(high - low) / (many - few):.0f} bytes a polygon")


def main() -> None:
    words = sys.argv[1:]
    if words[:1] == [SQUARES]:
        return peak(int(words[1]), int(words[2]))
    sides = [int(word) for word in words] or [1, 2, 4, 6]
    # This comes first, because a process inherits the peak of its parent.
    compare_peaks()
    measure("warming up", blob_block(0.02, 8), 1)
    for side in sides:
        measure("lumps, 16 px", blob_block(0.02, 8), side)
    for share in (0.002, 0.02, 0.1, 0.5):
        measure("lumps, 10 px", blob_block(share, 5), 2)
    measure("speckle", single_pixels(0.02), 2)
    compare(blob_block(0.02, 5), 3)
    return None


if __name__ == "__main__":
    main()
