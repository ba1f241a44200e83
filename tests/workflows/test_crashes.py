"""Killed, interrupted, out of room, twice at once: the same command goes on, and the answer is one."""

from __future__ import annotations

import fcntl
import os
import pty
import random
import resource
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import psutil
import pytest
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


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A folder with before.tif, after.tif, and the network in slow.py."""
    before = noise((SIZE, SIZE)) // 4
    blobs = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(SIZE, SIZE)), 5) > 0.03
    make_raster(tmp_path / "before.tif", before)
    make_raster(tmp_path / "after.tif", (before + 120 * blobs).astype(np.uint8))
    (tmp_path / "slow.py").write_text(NETWORK)
    return tmp_path


class Run:
    """`geochange run` of the scene in a process of its own."""

    def __init__(
        self, scene: Path, out: str = "changes.gpkg", *extra: str, **settings: Any
    ) -> None:
        self.seen = scene / f"{out}.seen"
        quiet = [] if settings.pop("loud", False) else ["--quiet"]
        environment = {**os.environ, "SEEN": str(self.seen), **settings.pop("environment", {})}
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "geochange", "run", "before.tif", "after.tif"),
                *("--out", out, "--model", "slow:Slow", *quiet, *OPTIONS, *extra),
            ],
            cwd=scene,
            env=environment,
            text=True,
            **{"stderr": subprocess.PIPE, **settings},
        )

    def wait_for_work(self) -> None:
        """Until the network has seen a tile of this run."""
        known = self.seen.stat().st_size if self.seen.exists() else 0
        while self.process.poll() is None:
            if self.seen.exists() and self.seen.stat().st_size > known:
                return
            time.sleep(0.01)

    def end(self) -> tuple[int, str]:
        """Exit code, and what was said."""
        _, said = self.process.communicate(timeout=120)
        return self.process.returncode, said

    @property
    def tiles(self) -> int:
        """How many tiles all runs with this output have shown the network."""
        return sum(map(int, self.seen.read_text().split()))


@pytest.fixture
def undisturbed(scene: Path) -> Path:
    run = Run(scene, "undisturbed.gpkg", environment={"TILE_S": "0"})
    assert run.end() == (0, "")
    assert run.tiles == PLAN.tile_count
    return scene / "undisturbed.gpkg"


def assert_same(one: Path, other: Path) -> None:
    """The bytes of the rasters and every polygon with its attributes."""
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
    # Whoever was killed had at most a block in hand in each of two threads.
    assert PLAN.tile_count <= run.tiles <= PLAN.tile_count + KILLS * 2 * PLAN.block_tiles**2


ENDED = {
    signal.SIGINT: "interrupted",
    signal.SIGTERM: "ended by SIGTERM",
    signal.SIGHUP: "ended by SIGHUP",
}


def assert_only_work_is_left(scene: Path) -> None:
    left = [path.name for path in scene.glob("*changes*") if path.suffix != ".seen"]
    assert left == [".changes.gpkg.work"]


def test_signals_to_end_stop_it_at_once_and_it_says_how_to_go_on(scene: Path) -> None:
    for number, ended in ENDED.items():
        run = Run(scene, environment={"TILE_S": "0.1"})
        run.wait_for_work()
        started = time.monotonic()
        run.process.send_signal(number)
        assert run.end() == (
            128 + number,
            f"geochange: {ended}; the same command again goes on where it was\n",
        )
        assert time.monotonic() - started < 5
        assert_only_work_is_left(scene)
    seen = run.tiles
    assert Run(scene, environment={"TILE_S": "0"}).end() == (0, "")
    assert run.tiles < seen + PLAN.tile_count


def test_ctrl_c_reaches_its_workers_too_and_they_end_without_a_word(scene: Path) -> None:
    """A terminal sends it to all processes of the command."""
    run = Run(
        scene, "changes.gpkg", "--workers", "2", environment={"TILE_S": "0.1"}, process_group=0
    )
    run.wait_for_work()
    began = psutil.Process(run.process.pid).children(recursive=True)
    assert len(began) >= 2
    os.killpg(run.process.pid, signal.SIGINT)
    code, said = run.end()
    assert code == 130
    assert said == "geochange: interrupted; the same command again goes on where it was\n"
    assert psutil.wait_procs(began, timeout=5)[1] == []
    assert_only_work_is_left(scene)


def test_a_terminal_that_is_closed_ends_it_and_its_workers(scene: Path) -> None:
    """The kernel sends SIGHUP to all processes, and printing is an error from then on."""
    ours, theirs = pty.openpty()

    def adopt() -> None:
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    run = Run(
        *(scene, "changes.gpkg", "--workers", "1"),
        loud=True,
        environment={"TILE_S": "0.1"},
        start_new_session=True,
        preexec_fn=adopt,
        **dict.fromkeys(("stdin", "stdout", "stderr"), theirs),
    )
    os.close(theirs)
    while not run.seen.exists():
        if select.select([ours], [], [], 0.05)[0]:
            os.read(ours, 4096)  # or it would wait for somebody to read
    began = psutil.Process(run.process.pid).children(recursive=True)
    os.close(ours)
    assert run.process.wait(timeout=30) == 128 + signal.SIGHUP
    assert psutil.wait_procs(began, timeout=5)[1] == []
    assert_only_work_is_left(scene)


def test_a_second_run_with_the_same_output_is_refused(scene: Path, undisturbed: Path) -> None:
    hold = scene / "hold"
    hold.touch()
    first = Run(scene, environment={"HOLD": str(hold)})
    first.wait_for_work()
    # The raster beside the polygons is the same for both.
    for out in ("changes.gpkg", "changes.geojson"):
        code, said = Run(scene, out).end()
        assert code == 2
        assert "another run is writing it; wait for it to end" in said
    hold.unlink()
    assert first.end() == (0, "")
    assert_same(scene / "changes.gpkg", undisturbed)


@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_machine_that_slept_goes_on(scene: Path, undisturbed: Path, workers: str) -> None:
    """Longer than Dask waits for a sign of life of its workers, if it may."""
    hold = scene / "hold"
    hold.touch()
    patience = {"DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "2s"}
    run = Run(
        scene, "changes.gpkg", "--workers", workers, environment={"HOLD": str(hold), **patience}
    )
    run.wait_for_work()
    asleep = [run.process, *psutil.Process(run.process.pid).children(recursive=True)]
    for process in asleep:
        process.send_signal(signal.SIGSTOP)
    time.sleep(5)
    for process in asleep:
        process.send_signal(signal.SIGCONT)
    time.sleep(3)
    hold.unlink()
    assert run.end() == (0, "")
    assert_same(scene / "changes.gpkg", undisturbed)


def room(size: int) -> dict[str, Any]:
    """Files of at most `size` bytes: a disk that is full, for one process."""
    return {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))}


@pytest.mark.parametrize("size", [4_000, 100_000])
def test_a_full_disk_is_named_and_nothing_is_half_written(
    scene: Path, undisturbed: Path, size: int
) -> None:
    run = Run(scene, environment={"TILE_S": "0"}, **room(size))
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
    run = Run(scene, "changes.gpkg", "--workers", "2", "--threads", "1")
    run.wait_for_work()
    victim = next(workers_of(run))
    victim.kill()
    assert run.end() == (0, "")
    assert_same(scene / "changes.gpkg", undisturbed)
    assert run.tiles <= PLAN.tile_count + 2 * PLAN.block_tiles**2
