"""Regions read from disk equal the written ones, in any order and any batches."""

from __future__ import annotations

import errno
from io import BytesIO

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from region_files import Bytes, join_regions, rasters, region_file_of, trace_blocks

from geochange.errors import OutputError
from geochange.vector.tracing import region_file
from geochange.vector.tracing.join_across_blocks import RegionJoiner
from geochange.vector.tracing.region_file import RegionFileWriter


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(rasters(), st.integers(1, 13), st.randoms(use_true_random=False))
def test_any_of_them_come_back_in_any_order(raster: Bytes, block: int, chance: object) -> None:
    shelf, whole = region_file_of(raster, (block, block)), join_regions(raster)
    assert (np.diff(shelf.rows["first"]) > 0).all()
    chosen = np.random.default_rng(hash(str(chance)) % 2**32).permutation(len(shelf))[::2]
    back, expected = shelf.read(chosen), whole.take(chosen)
    np.testing.assert_array_equal(back.rows, expected.rows)
    np.testing.assert_array_equal(back.corners, expected.corners)


@settings(max_examples=20, deadline=None)
@given(rasters())
def test_boxes_are_those_of_the_outlines(raster: Bytes) -> None:
    shelf = region_file_of(raster)
    bounds = shapely.bounds(shelf.read(np.arange(len(shelf))).polygons()).reshape(-1, 4)
    np.testing.assert_array_equal(shelf.boxes(), bounds[:, [1, 0, 3, 2]])


def test_batches_are_bounded_in_regions_and_in_corners(monkeypatch: pytest.MonkeyPatch) -> None:
    raster = np.zeros((9, 40), np.uint8)
    raster[1, ::2] = 254
    raster[3:8, :] = 254
    raster[5, ::2] = 0
    shelf = region_file_of(raster)
    assert shelf.rows["corners"].tolist() == [4] * 20 + [4 + 4 * 20]
    monkeypatch.setattr(region_file, "BATCH_REGIONS", 7)
    monkeypatch.setattr(region_file, "BATCH_CORNERS", 20)
    assert [len(batch) for batch in shelf.batches()] == [5, 5, 5, 5, 1]
    assert np.concatenate(list(shelf.batches())).tolist() == list(range(21))
    monkeypatch.setattr(region_file, "BATCH_CORNERS", 10_000)
    assert [len(batch) for batch in shelf.batches(np.arange(3, 20))] == [7, 7, 3]


def test_a_full_disk_is_said() -> None:
    class Full(BytesIO):
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, "No space left on device")

    raster = np.full((2, 2), 254, np.uint8)
    (block,) = trace_blocks(raster, (2, 2))
    with pytest.raises(OutputError, match=r"No space left.*free some disk"):
        RegionFileWriter(Full()).put(RegionJoiner((2, 2)).add(block))
