"""Runs that are killed, interrupted, or run twice at once: the same command gives the same result."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from slow_runs import PLAN, Run, assert_same, write_inputs

pytestmark = pytest.mark.slow

KILLS = 6
LARGER = 640


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    folder = tmp_path / "scene"
    folder.mkdir()
    return write_inputs(folder)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The result of an undisturbed run."""
    folder = write_inputs(tmp_path_factory.mktemp("undisturbed"))
    run = Run(folder, environment={"TILE_S": "0"})
    assert run.end() == (0, "")
    assert run.tiles == PLAN.tile_count
    return folder / "changes.gpkg"


@pytest.fixture(scope="module")
def larger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same of a scene whose raster has several tiles."""
    folder = write_inputs(tmp_path_factory.mktemp("larger"), LARGER)
    assert Run(folder, environment={"TILE_S": "0"}).end() == (0, "")
    return folder / "changes.gpkg"


def test_killed_many_times_it_goes_on_where_it_was(scene: Path, undisturbed: Path) -> None:
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
    run = Run(scene, environment={"TILE_S": "0.2"}, afresh=True)
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
    run = Run(scene, "changes.gpkg", "--workers", workers, environment=settings)
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
    scene: Path, larger: Path, size: int
) -> None:
    write_inputs(scene, LARGER)
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
    assert_same(scene / "changes.gpkg", larger)


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
