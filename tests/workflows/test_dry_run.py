"""A dry run estimates the cost, and leaves nothing behind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from makers import NORTH_UP, make_raster, noise

from geochange.cli.main import cli
from geochange.config import RunOptions
from geochange.grid.tiling import Window
from geochange.memory import machine_bytes
from geochange.raster.bands import Bands
from geochange.raster.pair import align_pair
from geochange.raster.reader import inspect_raster
from geochange.running.plan.memory_budget import DEFAULT_MEMORY_SHARE
from geochange.workflows.dry_run import estimate_run
from geochange.workflows.preflight import check_run

pytestmark = pytest.mark.slow

OPTIONS = {"model": "cva", "tile": 64, "overlap": 16, "block": 2, "threads": 2}


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    before = make_raster(tmp_path / "before.tif", noise((300, 500, 3), seed=1))
    after = make_raster(tmp_path / "after.tif", noise((300, 500, 3), seed=2))
    return before, after


def test_the_plan_is_told_and_nothing_stays(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "changes.gpkg"
    told = estimate_run(check_run(*pair, out, RunOptions.parse(OPTIONS)))
    assert told.shape == (300, 500)
    assert told.tiles == 6 * 11
    assert told.blocks == 3 * 6
    assert told.threads == 2
    assert 300 * 500 * 1.5 < told.disk_bytes < 300 * 500 * 5
    assert 100e6 < told.memory_bytes < machine_bytes() * DEFAULT_MEMORY_SHARE
    assert 0 < told.seconds < 60
    assert {path.name for path in tmp_path.iterdir()} == {"before.tif", "after.tif"}


def test_the_command_says_it_as_a_table_and_as_json(
    pair: tuple[Path, Path], tmp_path: Path
) -> None:
    words = [
        "run",
        *map(str, pair),
        "--out",
        str(tmp_path / "c.gpkg"),
        "--dry-run",
        "--threads",
        "1",
        "--model",
        "cva",
    ]
    said = CliRunner().invoke(cli, words)
    assert said.exit_code == 0
    assert "temporary disk" in said.output
    said = CliRunner().invoke(cli, [*words, "--log-json"])
    event = json.loads(said.output)
    assert event["event"] == "plan"
    assert event["shape"] == [300, 500]
    assert event["threads"] == 1
    assert event["volume"]["tasks"] > event["blocks"] and event["clusters"] == []
    # More workers than this machine has cores are planned, and not started.
    said = CliRunner().invoke(cli, [*words, "--workers", "500"])
    assert "tasks alive" in said.output and "scheduler memory" in " ".join(said.output.split())
    assert not (tmp_path / "c.gpkg").exists()


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_a_crop_of_a_pair_shows_the_same_pixels(tmp_path: Path, shift: float) -> None:
    """With and without a warp. The cells of the warp start elsewhere, so last bits may differ."""
    first = make_raster(tmp_path / "a.tif", noise((90, 80), seed=1))
    moved = NORTH_UP @ NORTH_UP.translation(3 + shift, 2 + shift)
    second = make_raster(tmp_path / "b.tif", noise((90, 80), seed=2), transform=moved)
    pair = align_pair(inspect_raster(first), inspect_raster(second), "before", Bands((1,), (1,)))
    window = Window(11, 7, 40, 30)
    part = pair.crop(window)
    assert part.grid == pair.grid.crop(window)
    for whole, cropped in ((pair.before, part.before), (pair.after, part.after)):
        with whole.reader() as read:
            pixels, valid = read(window)
        with cropped.reader() as read:
            found, found_valid = read(part.grid.full_window)
        np.testing.assert_allclose(found.astype(int), pixels.astype(int), atol=1)
        np.testing.assert_array_equal(found_valid, valid)
