"""A run that is asked to end, or whose terminal closes, ends in order and can be gone on with."""

from __future__ import annotations

import os
import pty
import signal
from pathlib import Path

import psutil
import pytest
from slow_runs import PLAN, Run, write_inputs

pytestmark = pytest.mark.slow


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    folder = tmp_path / "scene"
    folder.mkdir()
    return write_inputs(folder)


def assert_goes_on(scene: Path, run: Run) -> None:
    """That nothing but the work is left, and the same command goes on from it."""
    names = {path.name for path in scene.iterdir()}
    left = names - {"before.tif", "after.tif", "slow.py", run.seen.name, "__pycache__"}
    assert left == {".changes.gpkg.work"}, "no output, no lock"
    seen = run.tiles
    again = Run(scene, environment={"TILE_S": "0"})
    assert again.end() == (0, "")
    assert again.tiles < seen + PLAN.tile_count
    assert (scene / "changes.gpkg").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_end_is_told_with_how_to_go_on(scene: Path, number: signal.Signals) -> None:
    run = Run(scene, environment={"TILE_S": "0.2"})
    run.wait_for_tiles(16)
    run.process.send_signal(number)
    code, said = run.end()
    assert code == 128 + number
    ended = f"geochange: ended by {number.name}; the same command again goes on where it was"
    assert said.splitlines() == [ended]
    assert_goes_on(scene, run)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_none_of_the_workers_outlives_the_run(scene: Path, number: signal.Signals) -> None:
    """Ctrl-C reaches all processes of the terminal's session at once, as here."""
    words = ("--workers", "1", "--threads", "2")
    run = Run(scene, "changes.gpkg", *words, environment={"TILE_S": "0.2"}, session="")
    run.wait_for_tiles(16)
    family = psutil.Process(run.process.pid).children(recursive=True)
    workers = [child for child in family if "spawn_main" in " ".join(child.cmdline())]
    assert len(workers) >= 1
    os.killpg(run.process.pid, number)
    code, said = run.end()
    assert code == 128 + number
    assert said.count("\n") == 1, said
    assert "the same command again goes on where it was" in said
    _, alive = psutil.wait_procs(family, timeout=120)
    assert alive == []
    assert_goes_on(scene, run)


def test_a_closed_terminal_ends_the_run(scene: Path) -> None:
    terminal, inside = pty.openpty()
    run = Run(scene, environment={"TILE_S": "0.2"}, session=os.ttyname(inside))
    run.wait_for_tiles(16)
    os.close(inside)
    os.close(terminal)
    code, _ = run.end()
    assert code == 128 + signal.SIGHUP
    assert_goes_on(scene, run)
