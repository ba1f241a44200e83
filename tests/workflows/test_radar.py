"""`run --model ratio` on two dates of backscatter, in power and in decibels, whatever the tiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from makers import make_raster
from scipy.ndimage import gaussian_filter

from geochange import detect
from geochange.config import RunOptions
from geochange.errors import InputError, OptionError
from geochange.workflows.preflight import check_run

pytestmark = pytest.mark.slow

SIZE = 128
LAKE = np.s_[40:80, 30:90]
QUICK: dict[str, Any] = {"model": "ratio", "report": "none", "skip_checks": True, "threads": 1}


def dates(folder: Path, *, decibels: bool = False) -> tuple[Path, Path]:
    """VV and VH of two dates; a lake of 0.24 km2 fills at the second."""
    rng = np.random.default_rng(1)
    ground = -9 + 80 * gaussian_filter(rng.normal(size=(SIZE, SIZE)), 8)
    paths = []
    for name, change in (("before", 0), ("after", -10)):
        power = 10 ** (ground / 10)
        power[LAKE] *= 10 ** (change / 10)
        both = np.stack([power, power / 5], -1) * rng.gamma(4.4, 1 / 4.4, (SIZE, SIZE, 2))
        values = 10 * np.log10(both) if decibels else both
        paths.append(make_raster(folder / f"{name}.tif", values.astype(np.float32)))
    return paths[0], paths[1]


def test_a_lake_is_found_in_power_and_in_decibels(tmp_path: Path) -> None:
    found = []
    for decibels in (False, True):
        folder = tmp_path / str(decibels)
        folder.mkdir()
        result = detect(*dates(folder, decibels=decibels), folder / "changes.gpkg", **QUICK)
        found.append(result)
        assert result.polygons == 1
        assert result.changed_m2 == pytest.approx(240_000, rel=0.1)
    probabilities = [rasterio.open(result.raster).read(1).astype(int) for result in found]
    assert np.abs(probabilities[0] - probabilities[1]).max() <= 1


def test_the_tiles_and_blocks_of_a_run_decide_nothing_inside_them(tmp_path: Path) -> None:
    pair, inner = dates(tmp_path), np.s_[16:-16, 16:-16]
    answers = []
    for tile, block in ((128, 8), (64, 1), (64, 2)):
        options = {**QUICK, "tile": tile, "overlap": 32, "block": block}
        result = detect(*pair, tmp_path / f"{tile}_{block}.gpkg", **options)
        answers.append(rasterio.open(result.raster).read(1).astype(int)[inner])
    assert (answers[1] == answers[2]).all()
    assert np.abs(answers[0] - answers[1]).mean() < 0.5


def check(pair: tuple[Path, Path], out: Path, **options: Any) -> Any:
    return check_run(*pair, out, RunOptions.parse(options))


def test_the_model_takes_decibels_as_they_are_and_a_network_8_bits(tmp_path: Path) -> None:
    pair, out = dates(tmp_path), tmp_path / "o.gpkg"
    assert check(pair, out, model="ratio").stretch.as_float
    assert check(pair, out, model="cva", stretch="db:linear").stretch.unit == "linear"
    assert not check(pair, out, stretch="db", bands="1,2,2").stretch.as_float


def test_what_radar_cannot_take_is_refused_in_one_line(tmp_path: Path) -> None:
    pair, out = dates(tmp_path), tmp_path / "o.gpkg"
    with pytest.raises(
        OptionError, match=r"--stretch joint: ratio compares decibels.*leave it out"
    ):
        check(pair, out, model="ratio", stretch="joint")
    grey = make_raster(tmp_path / "grey.tif", np.full((SIZE, SIZE), 9, np.uint8))
    with pytest.raises(InputError, match=r"grey\.tif: is 8-bit.*--stretch db:decibels"):
        check((grey, grey), out, model="ratio")
    check((grey, grey), out, model="ratio", stretch="db:decibels")
