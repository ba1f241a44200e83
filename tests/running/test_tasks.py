"""Results depend on pixels, model, tile size, overlap and taper, and on nothing else."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from makers import make_raster
from numpy.typing import NDArray
from region_files import assert_same
from scipy import ndimage

from geochange.grid.probability_bytes import NODATA
from geochange.grid.tiling import TilePlan
from geochange.models import ModelSpec
from geochange.raster.bands import Bands
from geochange.raster.pair import align_pair
from geochange.raster.reader import inspect_raster
from geochange.raster.scene.radiometry import UNCHANGED
from geochange.running.plan.run_spec import RunSpec
from geochange.running.tasks import jobs
from geochange.storage.local import LocalWork
from geochange.vector.tracing.join_across_blocks import RegionJoiner
from geochange.vector.tracing.region_file import RegionFileWriter
from geochange.vector.tracing.regions import BlockRegions, Regions

pytestmark = pytest.mark.slow

TILE, OVERLAP = 32, 8
CVA = {
    "before_offset": [0.0],
    "before_matrix": [[1.0]],
    "after_offset": [0.0],
    "after_matrix": [[1.0]],
    "cut": 30.0,
}


def lay_out(folder: Path, shape: tuple[int, int], block: int, seed: int = 0) -> RunSpec:
    """A run on noise of `shape` with areas of change and nodata, with its stores."""
    rng = np.random.default_rng(seed)
    before = rng.integers(1, 60, (*shape, 1)).astype(np.uint8)
    after = np.clip(
        before + 120 * (ndimage.gaussian_filter(rng.normal(size=shape), 3) > 0.05)[..., None],
        1,
        255,
    ).astype(np.uint8)
    after[ndimage.gaussian_filter(rng.normal(size=shape), 2) > 0.25] = 0
    folder.mkdir()
    first = inspect_raster(make_raster(folder / "before.tif", before, nodata=0))
    second = inspect_raster(make_raster(folder / "after.tif", after, nodata=0))
    pair = align_pair(first, second, "before", Bands((1,), (1,)))
    plan = TilePlan(pair.grid.shape, TILE, OVERLAP, block)
    store = LocalWork(folder)
    work = RunSpec(pair, plan, UNCHANGED, ModelSpec("cva", "cpu", CVA), "hann", 3, 127, store)
    work.logits.array.create()
    work.probability.array.create()
    return work


def carry_out(work: RunSpec) -> tuple[NDArray[np.uint8], Regions]:
    """Every task of a run, one after the other."""
    joiner, spill = RegionJoiner(work.plan.shape), RegionFileWriter(BytesIO())
    for job in jobs(work):
        answer = job.function(*job.arguments)
        if isinstance(answer, BlockRegions):
            spill.put(joiner.add(answer))
    shelf = spill.finish(joiner.finish())
    return work.probability.get(work.plan.full_window), shelf.read(np.arange(len(shelf)))


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    height=st.integers(1, 3 * TILE + 1), width=st.integers(1, 3 * TILE + 1), seed=st.integers(0, 99)
)
def test_blocks_leave_no_trace(
    tmp_path_factory: pytest.TempPathFactory, height: int, width: int, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("blocks")
    whole, regions = carry_out(lay_out(folder / "whole", (height, width), 64, seed))
    assert whole.shape == (height, width)
    for block in (1, 2, 3):
        probability, joined = carry_out(lay_out(folder / str(block), (height, width), block, seed))
        np.testing.assert_array_equal(probability, whole)
        assert_same(joined, regions)


def test_a_tile_is_inferred_once_and_batches_leave_no_trace(tmp_path: Path) -> None:
    work = lay_out(tmp_path / "a", (100, 75), 2)
    inferred = [job.arguments[1] for job in jobs(work) if job.key[0] == "infer"]
    assert sorted(inferred) == list(work.plan.blocks())
    first, _ = carry_out(work)
    second, _ = carry_out(replace(lay_out(tmp_path / "b", (100, 75), 2), batch=1))
    np.testing.assert_array_equal(first, second)


def test_what_is_missing_at_one_date_is_nodata_and_never_change(tmp_path: Path) -> None:
    work = lay_out(tmp_path / "a", (70, 90), 2, seed=3)
    probability, regions = carry_out(work)
    with work.pair.after.reader() as read:
        _, valid = read(work.plan.full_window)
    assert 0 < (~valid).sum() < valid.size
    np.testing.assert_array_equal(probability == NODATA, ~valid)
    assert len(regions) > 0
    assert int(regions.rows["pixels"].sum()) == int(((probability >= 127) & valid).sum())


def test_finished_blocks_are_not_done_again(tmp_path: Path) -> None:
    work = lay_out(tmp_path / "a", (70, 90), 2)
    probability, regions = carry_out(work)
    # The inputs are deleted, so the result can only come from the stores.
    (tmp_path / "a" / "before.tif").unlink()
    again, same = carry_out(work)
    np.testing.assert_array_equal(again, probability)
    assert_same(regions, same)
