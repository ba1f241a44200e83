"""The overhead of `run` besides its network, and its speed with a network without cost.

python benchmarks/pipeline.py [--size 10000] [--ms 20 0] [--threads N] [--workers N]: an 8-bit RGB
pair of that side, deflate, tiles of 512 px, as common tools write it. For each cost of a tile it
prints seconds and megapixels per second: of all stages as the run reports them, and of the whole
command, which starts an interpreter and loads torch. It also prints the share of the network alone in
the latter, for as many tiles in memory. Beside it: the time for GDAL to copy both inputs and write
the output in one thread.

--engines torch onnx also runs the network that `run` takes by default, by each engine in turn, and prints
the processor's time, which load on the machine changes little.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.shutil import copy
from rasterio.windows import Window

from geochange.grid.tiling import TilePlan
from geochange.landscape import make_landscape

HERE = Path(__file__).parent
LAND_PX = 1024


def make_pair(folder: Path, size: int) -> tuple[Path, Path]:
    """Write before.tif and after.tif: a landscape repeated, with copies that compress differently."""
    land = make_landscape(LAND_PX)
    paths = folder / "before.tif", folder / "after.tif"
    for path, picture in zip(paths, (land.before, land.after), strict=True):
        pixels = np.moveaxis(picture, -1, 0)
        with rasterio.open(
            path,
            "w",
            driver="GTiff",
            height=size,
            width=size,
            count=3,
            dtype="uint8",
            crs="EPSG:32632",
            transform=Affine(0.5, 0, 691000, 0, -0.5, 5335000),
            compress="deflate",
            predictor=2,
            tiled=True,
            blockxsize=512,
            blockysize=512,
            num_threads="all_cpus",
            bigtiff="if_safer",
        ) as raster:
            for row in range(0, size, LAND_PX):
                for col in range(0, size, LAND_PX):
                    height, width = min(LAND_PX, size - row), min(LAND_PX, size - col)
                    window = Window(col, row, width, height)
                    raster.write(pixels[:, :height, :width], window=window)
    return paths


def run_seconds(
    pair: tuple[Path, Path], out: Path, model: str, ms: float, extra: list[str]
) -> tuple[float, float]:
    """Seconds of all stages, and of the whole command."""
    before, after = map(str, pair)
    command = [
        sys.executable,
        "-m",
        "geochange",
        "run",
        before,
        after,
        "--out",
        str(out),
        "--log-json",
        "--model",
        model,
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")]),
        "STANDIN_MS": str(ms),
    }
    started = time.perf_counter()
    told = subprocess.run(
        [*command, *extra], check=True, env=environment, stdout=subprocess.PIPE, text=True
    ).stdout
    whole = time.perf_counter() - started
    return json.loads(told.splitlines()[-1])["seconds"], whole


def children_seconds() -> float:
    """Seconds of processors that ended commands have taken."""
    used = os.times()
    return used.children_user + used.children_system


def copy_seconds(pair: tuple[Path, Path], out: Path) -> float:
    """Seconds of GDAL alone: both inputs copied with their compression, and the output."""
    started = time.perf_counter()
    for source in (*pair, out.with_suffix(".tif")):
        copied = source.with_suffix(".copy.tif")
        with rasterio.open(source) as raster:
            copy(raster, copied, driver="GTiff", compress="deflate", predictor=2, tiled=True)
        copied.unlink()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--engines", nargs="*", default=[], choices=["torch", "onnx"])
    parser.add_argument("--ms", type=float, nargs="*", default=[0.0, 20.0])
    words, extra = parser.parse_known_args()
    plan = TilePlan((words.size, words.size))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        pair = make_pair(folder, words.size)
        out = folder / "changes.gpkg"
        mpx = plan.full_window.pixels / 1e6
        for ms in words.ms:
            model = "standin:Slow" if ms else "standin:Free"
            stages, seconds = run_seconds(pair, out, model, ms, extra)
            bare = plan.tile_count * ms / 1000
            share = f", {bare / seconds:.3f} of the bare network" if ms else ""
            print(
                f"{ms:g} ms a tile: all stages {stages:.1f} s, {mpx / stages:.1f} Mpx/s; "
                f"command {seconds:.1f} s, {mpx / seconds:.1f} Mpx/s{share}",
                flush=True,
            )
        for engine in words.engines:
            how = ["--engine", engine, "--overwrite", *extra]
            busy = children_seconds()
            stages, seconds = run_seconds(pair, out, "changeclip-small", 0, how)
            busy = children_seconds() - busy
            print(
                f"changeclip-small by {engine}: all stages {stages:.1f} s, {mpx / stages:.2f} Mpx/s; "
                f"command {seconds:.1f} s, {mpx / seconds:.2f} Mpx/s, {busy:.1f} s of processors",
                flush=True,
            )
        print(f"GDAL copies both inputs and the output: {copy_seconds(pair, out):.1f} s")


if __name__ == "__main__":
    main()
