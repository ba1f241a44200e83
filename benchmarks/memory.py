"""Peak memory of `geochange run` at several raster sizes, each in its own process.

python benchmarks/memory.py [SIZE ...]: rasters are VRTs that repeat one synthetic tile, so they take
no disk space. The promise: the peak does not grow with the raster.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from affine import Affine
from pyproj import CRS

from geochange.grid.grid import Grid
from geochange.landscape import make_landscape
from geochange.raster.pictures.image import write_picture

TILE_PX = 1024


def make_tile(folder: Path) -> None:
    """Write before.tif and after.tif, a landscape of TILE_PX."""
    land = make_landscape(TILE_PX)
    grid = Grid(CRS.from_epsg(32632), Affine(0.5, 0, 691000, 0, -0.5, 5335000), (TILE_PX, TILE_PX))
    write_picture(folder / "before.tif", land.before, grid)
    write_picture(folder / "after.tif", land.after, grid)


def make_mosaic(folder: Path, name: str, size: int) -> Path:
    """A VRT with `size` pixels per side that repeats the tile."""
    starts = range(0, size, TILE_PX)
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}" blockXSize="512" blockYSize="512">'
        f"<ColorInterp>{('Red', 'Green', 'Blue')[band - 1]}</ColorInterp>"
        + "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{name}.tif</SourceFilename>'
            f"<SourceBand>{band}</SourceBand>"
            f'<SrcRect xOff="0" yOff="0" xSize="{TILE_PX}" ySize="{TILE_PX}"/>'
            f'<DstRect xOff="{col}" yOff="{row}" xSize="{TILE_PX}" ySize="{TILE_PX}"/></SimpleSource>'
            for row in starts
            for col in starts
        )
        + "</VRTRasterBand>"
        for band in (1, 2, 3)
    )
    path = folder / f"{name}_{size}.vrt"
    path.write_text(
        f'<VRTDataset rasterXSize="{size}" rasterYSize="{size}"><SRS>EPSG:32632</SRS>'
        f"<GeoTransform>691000, 0.5, 0, 5335000, 0, -0.5</GeoTransform>{bands}</VRTDataset>"
    )
    return path


def measure(folder: Path, size: int, extra: list[str]) -> None:
    before, after = (make_mosaic(folder, name, size) for name in ("before", "after"))
    out = folder / f"changes_{size}.gpkg"
    started = time.monotonic()
    command = [
        sys.executable,
        "-m",
        "geochange",
        "run",
        str(before),
        str(after),
        "--out",
        str(out),
        "--quiet",
        *extra,
    ]
    code = (
        "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)"
    )
    # In its own process: the peak of child processes is that of the largest child so far.
    said = subprocess.run(
        [sys.executable, "-c", code, *command], check=True, capture_output=True, text=True
    )
    seconds = time.monotonic() - started
    rate = np.square(size / 1e3) / seconds
    print(
        f"{size} px: peak {said.stdout.strip()} MB, {seconds:.0f} s, {rate:.1f} Mpx/s", flush=True
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        make_tile(folder)
        words = sys.argv[1:]
        sizes = [int(word) for word in words if word.isdigit()] or [6000, 12000]
        for size in sizes:
            measure(folder, size, [word for word in words if not word.isdigit()])


if __name__ == "__main__":
    main()
