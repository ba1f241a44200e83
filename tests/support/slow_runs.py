"""Runs slow enough to be disturbed: a scene, a network that takes its time, and a run of both."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
from forked import ForkedCommand, FreshCommand
from makers import make_raster, noise
from scipy import ndimage

from geochange.grid.tiling import TilePlan

SIZE = 448
PLAN = TilePlan((SIZE, SIZE), 64, 16, 2)
OPTIONS = [
    "--tile",
    "64",
    "--overlap",
    "16",
    "--block",
    "2",
    "--threads",
    "2",
    "--min-area",
    "0",
    "--skip-checks",
]
NETWORK = '''
"""A network that takes its time, and notes how many tiles it saw."""
import os, time
import torch

class Slow:
    bands, threshold = 1, 0.5

    def fit(self, sample):
        return {}

    def adopt(self, statistics):
        pass

    def change_logits(self, batch):
        count = len(batch)
        with open(os.environ["SEEN"], "a") as seen:
            seen.write(f"{count}\\n")
        time.sleep(count * float(os.environ.get("TILE_S", "0.02")))
        while os.path.exists(os.environ.get("HOLD", "")):
            time.sleep(0.01)
        return (batch.after - batch.before.float())[:, 0] / 8 - 4
'''


def write_inputs(folder: Path, size: int = SIZE) -> Path:
    """before.tif, after.tif, and the network in slow.py."""
    before = noise((size, size)) // 4
    blobs = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(size, size)), 5) > 0.03
    make_raster(folder / "before.tif", before)
    make_raster(folder / "after.tif", (before + 120 * blobs).astype(np.uint8))
    (folder / "slow.py").write_text(NETWORK)
    return folder


class Run:
    """`geochange run` of the scene in a process of its own.

    session: see ForkedCommand. afresh: started as a user starts it, not forked from a process that
    has read everything.
    """

    def __init__(
        self,
        scene: Path,
        out: str = "changes.gpkg",
        *extra: str,
        environment: Mapping[str, str] | None = None,
        most_bytes: int | None = None,
        session: str | None = None,
        afresh: bool = False,
    ) -> None:
        self.seen = scene / f"{out}.seen"
        settings = {**os.environ, "SEEN": str(self.seen), **(environment or {})}
        words = ["run", "before.tif", "after.tif", "--out", out, "--model", "slow:Slow", "--quiet"]
        self.process: ForkedCommand | FreshCommand = (
            FreshCommand([*words, *OPTIONS, *extra], scene, settings)
            if afresh
            else ForkedCommand([*words, *OPTIONS, *extra], scene, settings, most_bytes, session)
        )

    def wait_for_work(self) -> None:
        """Until the network has seen a tile of this run."""
        known = self.seen.stat().st_size if self.seen.exists() else 0
        while self.process.poll() is None:
            if self.seen.exists() and self.seen.stat().st_size > known:
                return
            time.sleep(0.01)

    def wait_for_tiles(self, count: int) -> None:
        """Until the network has seen so many tiles, or the run has ended."""
        while self.process.poll() is None and (not self.seen.exists() or self.tiles < count):
            time.sleep(0.01)

    def end(self) -> tuple[int, str]:
        """Exit code, and what was said."""
        return self.process.end()

    @property
    def tiles(self) -> int:
        """How many tiles all runs with this output have shown the network."""
        return sum(map(int, self.seen.read_text().split()))


def assert_same(one: Path, other: Path) -> None:
    """The bytes of the rasters and every polygon with its attributes."""
    assert one.with_suffix(".tif").read_bytes() == other.with_suffix(".tif").read_bytes()
    first, second = gpd.read_file(one, layer="changes"), gpd.read_file(other, layer="changes")
    assert len(first) > 20
    assert first.equals(second)
