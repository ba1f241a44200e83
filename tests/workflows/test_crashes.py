"""Runs that are killed, interrupted, or run twice at once: the same command gives the same result."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import geopandas as gpd
import numpy as np
import psutil
import pytest
from forked import ForkedCommand, FreshCommand
from makers import make_raster, noise
from scipy import ndimage

from geochange.grid.tiling import TilePlan

pytestmark = pytest.mark.slow

SIZE = 640
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
KILLS = 10

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


def lay_out(folder: Path) -> Path:
    """before.tif, after.tif, and the network in slow.py."""
    before = noise((SIZE, SIZE)) // 4
    blobs = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(SIZE, SIZE)), 5) > 0.03
    make_raster(folder / "before.tif", before)
    make_raster(folder / "after.tif", (before + 120 * blobs).astype(np.uint8))
    (folder / "slow.py").write_text(NETWORK)
    return folder


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    folder = tmp_path / "scene"
    folder.mkdir()
    return lay_out(folder)


class Run:
    """`geochange run` on the scene in a separate process.

    afresh: started as a user starts it, not forked from a process that has imported everything.
    """

    def __init__(
        self,
        scene: Path,
        out: str = "changes.gpkg",
        *extra: str,
        environment: Mapping[str, str] | None = None,
        most_bytes: int | None = None,
        afresh: bool = False,
    ) -> None:
        self.seen = scene / f"{out}.seen"
        settings = {**os.environ, "SEEN": str(self.seen), **(environment or {})}
        words = ["run", "before.tif", "after.tif", "--out", out, "--model", "slow:Slow", "--quiet"]
        self.process: ForkedCommand | FreshCommand = (
            FreshCommand([*words, *OPTIONS, *extra], scene, settings)
            if afresh
            else ForkedCommand([*words, *OPTIONS, *extra], scene, settings, most_bytes)
        )

    def wait_for_work(self) -> None:
        """Wait until the network has processed a tile of this run."""
        known = self.seen.stat().st_size if self.seen.exists() else 0
        while self.process.poll() is None:
            if self.seen.exists() and self.seen.stat().st_size > known:
                return
            time.sleep(0.01)

    def end(self) -> tuple[int, str]:
        """The exit code and the messages."""
        return self.process.end()

    @property
    def tiles(self) -> int:
        """The number of tiles that the network processed in all runs of this output."""
        return sum(map(int, self.seen.read_text().split()))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of an undisturbed run."""
    folder = lay_out(tmp_path_factory.mktemp("undisturbed"))
    run = Run(folder, environment={"TILE_S": "0"}, afresh=True)
    assert run.end() == (0, "")
    assert run.tiles == PLAN.tile_count
    return folder / "changes.gpkg"


def assert_same(one: Path, other: Path) -> None:
    """Compare the bytes of the rasters, and every polygon with its attributes."""
    assert one.with_suffix(".tif").read_bytes() == other.with_suffix(".tif").read_bytes()
    first, second = gpd.read_file(one, layer="changes"), gpd.read_file(other, layer="changes")
    assert len(first) > 20
    assert first.equals(second)


def test_killed_ten_times_it_goes_on_where_it_was(scene: Path, undisturbed: Path) -> None:
    dice = random.Random(5)
    died = []
    for _ in range(KILLS):
        run = Run(scene)
        run.wait_for_work()
        time.sleep(dice.uniform(0, 0.3))
        run.process.kill()
        died.append(run.process.wait() == -signal.SIGKILL)
        assert (scene / "changes.gpkg").exists() != died[-1]
    assert died[0]
    run = Run(scene)
    assert run.end() == (0, "")
    assert_same(scene / "changes.gpkg", undisturbed)
    assert not list(scene.glob(".*"))
    # A killed run had at most one block in progress in each of two threads.
    assert PLAN.tile_count <= run.tiles <= PLAN.tile_count + KILLS * 2 * PLAN.block_tiles**2


def test_interrupted_it_stops_at_once_and_says_how_to_go_on(scene: Path) -> None:
    run = Run(scene, environment={"TILE_S": "0.1"}, afresh=True)
    run.wait_for_work()
    before = run.tiles
    run.process.send_signal(signal.SIGINT)
    code, said = run.end()
    # Blocks in progress are completed, one in each of two threads, and the next may have begun.
    assert run.tiles - before <= 4 * PLAN.block_tiles**2
    assert code == 130
    assert said.strip() == "geochange: interrupted; the same command again goes on where it was"
    assert not list(scene.glob("changes.*[gt]*f")) and not (scene / "changes.gpkg").exists()
    seen = run.tiles
    assert Run(scene, environment={"TILE_S": "0"}).end() == (0, "")
    assert run.tiles < seen + PLAN.tile_count


def test_a_second_run_with_the_same_output_is_refused(scene: Path, undisturbed: Path) -> None:
    hold = scene / "hold"
    hold.touch()
    first = Run(scene, environment={"HOLD": str(hold)})
    first.wait_for_work()
    # Both outputs have the same raster beside the polygons.
    for out in ("changes.gpkg", "changes.geojson"):
        code, said = Run(scene, out).end()
        assert code == 2
        assert "another run is writing it; wait for it to end" in said
    hold.unlink()
    assert first.end() == (0, "")
    assert_same(scene / "changes.gpkg", undisturbed)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_machine_that_slept_goes_on(scene: Path, undisturbed: Path, workers: str) -> None:
    """Asleep for longer than Dask's timeout for its workers."""
    hold = scene / "hold"
    hold.touch()
    patience = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "1s"}
    settings = {"HOLD": str(hold), **patience}
    run = Run(scene, "changes.gpkg", "--workers", workers, environment=settings, afresh=True)
    run.wait_for_work()
    asleep = [run.process.pid, *map(pid_of, psutil.Process(run.process.pid).children(True))]
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.5)
    for pid in asleep:
        os.kill(pid, signal.SIGCONT)
    time.sleep(1.5)
    hold.unlink()
    assert run.end() == (0, "")
    assert_same(scene / "changes.gpkg", undisturbed)


def pid_of(process: psutil.Process) -> int:
    return int(process.pid)


@pytest.mark.parametrize("size", [4_000, 100_000])
def test_a_full_disk_is_named_and_nothing_is_half_written(
    scene: Path, undisturbed: Path, size: int
) -> None:
    run = Run(scene, environment={"TILE_S": "0"}, most_bytes=size)
    code, said = run.end()
    assert code == 1
    assert said.count("\n") == 1
    assert "free space" in said
    assert "the same command again goes on" in said
    assert [path.name for path in scene.glob("*changes*") if not path.name.endswith(".seen")] == [
        ".changes.gpkg.work"
    ]
    assert Run(scene, environment={"TILE_S": "0"}).end() == (0, "")
    assert_same(scene / "changes.gpkg", undisturbed)


def workers_of(run: Run) -> Iterator[psutil.Process]:
    for child in psutil.Process(run.process.pid).children(recursive=True):
        if "spawn_main" in " ".join(child.cmdline()):
            yield child


def test_a_worker_that_dies_loses_nothing(scene: Path, undisturbed: Path) -> None:
    run = Run(scene, "changes.gpkg", "--workers", "2", "--threads", "1", afresh=True)
    run.wait_for_work()
    victim = next(workers_of(run))
    victim.kill()
    assert run.end() == (0, "")
    assert_same(scene / "changes.gpkg", undisturbed)
    assert run.tiles <= PLAN.tile_count + 2 * PLAN.block_tiles**2
