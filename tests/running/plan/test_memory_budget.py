"""The memory of a run is known, and as many threads work as fit."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from makers import make_raster, noise
from odd_rasters import vrt

from geochange.errors import OptionError
from geochange.grid.tiling import TilePlan
from geochange.raster.bands import Bands
from geochange.raster.pair import RasterPair, align_pair
from geochange.raster.reader import CACHE_MB, inspect_raster
from geochange.raster.scene.radiometry import UNCHANGED, Radiometry, Stretch
from geochange.running.plan.memory_budget import MemoryBudget, block_bytes, cache_bytes, fit_threads

MB = 10**6
ALONE = MemoryBudget(process=500 * MB, network=100 * MB, block=50 * MB, processes=0, threads=4)


def pair_of(tmp_path: Path, shape: tuple[int, ...], dtype: str = "uint8") -> RasterPair:
    info = inspect_raster(make_raster(tmp_path / "picture.tif", noise(shape, dtype=dtype)))
    numbers = tuple(range(1, shape[2] + 1))
    return align_pair(info, info, "before", Bands(numbers, numbers))


def test_the_peak_is_that_of_all_processes() -> None:
    assert ALONE.peak == 800 * MB
    workers = MemoryBudget(500 * MB, 100 * MB, 50 * MB, processes=3, threads=2)
    assert workers.peak == 3 * 700 * MB + 500 * MB


def test_fewer_threads_where_not_all_fit(caplog: pytest.LogCaptureFixture) -> None:
    assert fit_threads(ALONE, 0.8, 10**12) == ALONE
    assert caplog.records == []
    with caplog.at_level(logging.WARNING):
        assert fit_threads(ALONE, 0.72, 10**12).threads == 2
    assert "2 of 4 threads fit into 720 MB" in caplog.text


def test_the_machine_is_the_limit_where_none_is_given() -> None:
    assert fit_threads(ALONE, None, 1500 * MB).threads == 4
    assert fit_threads(ALONE, None, 1200 * MB).threads == 2


def test_less_than_one_thread_is_refused() -> None:
    with pytest.raises(OptionError, match=r"--max-memory 0\.6: the run takes 650 MB with one"):
        fit_threads(ALONE, 0.6, 10**12)


def test_a_block_holds_pixels_of_both_dates_and_logits_of_its_tiles(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, (100, 100, 3))
    plan = TilePlan((100, 100), 32, 8, 2)
    window, tiles = 56 * 56, 4 * 32 * 32
    assert block_bytes(pair, plan, UNCHANGED) == window * (2 * 3 + 3) + tiles * 10
    wider = TilePlan((100, 100), 32, 8, 4)
    assert block_bytes(pair, wider, UNCHANGED) > 3 * block_bytes(pair, plan, UNCHANGED)


def test_a_stretch_takes_more(tmp_path: Path) -> None:
    pair = pair_of(tmp_path, (60, 60, 1), "uint16")
    plan, both = TilePlan((60, 60), 32, 8, 1), Stretch((0.0,), (1.0,))
    plain = block_bytes(pair, plan, UNCHANGED)
    assert block_bytes(pair, plan, Radiometry(both, both)) - plain == 32 * 32 * 2 * 9
    assert block_bytes(pair, plan, Radiometry(both, None)) - plain == 32 * 32 * 9


def test_bands_count_with_the_type_that_holds_them_all(tmp_path: Path) -> None:
    pixels = noise((60, 50), dtype="float64")
    path = vrt(tmp_path, [(pixels.astype(d), None) for d in ("uint8", "uint32", "float32")])
    info = inspect_raster(path)
    pair = align_pair(info, info, "before", Bands((1, 2, 3), (1, 3, 1)))
    assert (pair.before.dtype, pair.after.dtype) == (np.float64, np.float32)
    assert cache_bytes(pair) == 60 * 50 * ((1 + 4 + 4) + (1 + 4 + 1))
    plan, ends = TilePlan((60, 50), 32, 8, 1), Stretch((0.0,) * 3, (1.0,) * 3)
    plain = block_bytes(pair, plan, UNCHANGED)
    assert plain == 32 * 32 * (3 * (8 + 4) + 3 + 10)
    assert block_bytes(pair, plan, Radiometry(ends, None)) - plain == 32 * 32 * 3 * (2 * 8 + 1)


def test_no_more_is_kept_of_a_raster_than_it_holds(tmp_path: Path) -> None:
    assert cache_bytes(pair_of(tmp_path, (60, 50, 3))) == 60 * 50 * 6
    (tmp_path / "large").mkdir()
    # Sparse: its pixels take no disk space.
    large = make_raster(
        tmp_path / "large" / "picture.tif", np.zeros((9000, 9000), np.uint8), sparse_ok=True
    )
    info = inspect_raster(large)
    one = Bands((1,), (1,))
    assert cache_bytes(align_pair(info, info, "before", one)) == CACHE_MB * 2**20
