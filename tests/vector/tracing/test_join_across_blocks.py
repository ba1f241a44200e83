"""Regions joined from blocks equal those of the whole raster, bit by bit."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from region_files import (
    CHESS,
    KNOT,
    LEVEL,
    RING,
    Bytes,
    assert_same,
    join_regions,
    rasters,
    region_file_of,
    repeated_corners,
    trace_blocks,
)

from geochange.grid.probability_bytes import NODATA
from geochange.grid.tiling import Window
from geochange.vector.tracing.join_across_blocks import RegionJoiner
from geochange.vector.tracing.region_file import RegionFileWriter
from geochange.vector.tracing.regions import empty_block, trace_regions

some = settings(max_examples=60, deadline=None)


@pytest.mark.slow
@some
@given(rasters(), st.integers(1, 13), st.integers(1, 13), st.integers(0, 9))
@example(KNOT, 2, 2, 0)
@example(RING, 2, 1, 1)
@example(CHESS, 3, 3, 2)
def test_blocks_give_what_the_whole_gives(
    raster: Bytes, height: int, width: int, order: int
) -> None:
    assert_same(join_regions(raster, (height, width), order), join_regions(raster))


@pytest.mark.slow
@some
@given(rasters(), st.integers(1, 13), st.integers(1, 13), st.integers(0, 9))
@example(KNOT, 2, 2, 0)
@example(RING, 2, 1, 1)
@example(CHESS, 1, 1, 2)
def test_places_where_change_meets_diagonally_are_found_across_blocks(
    raster: Bytes, height: int, width: int, order: int
) -> None:
    shelf = region_file_of(raster, (height, width), order)
    outlines = shelf.read(np.arange(len(shelf))).polygons()
    np.testing.assert_array_equal(shelf.touching, repeated_corners(outlines))


@pytest.mark.slow
@some
@given(rasters(), st.integers(1, 13), st.integers(1, 13), st.integers(0, 9))
def test_no_region_waits_for_blocks_it_does_not_touch(
    raster: Bytes, height: int, width: int, order: int
) -> None:
    joiner, given_away = RegionJoiner(raster.shape), set()
    seen = np.zeros(raster.shape, np.bool_)
    whole = join_regions(raster)
    for block in trace_blocks(raster, (height, width), order):
        window = block.window
        given_away |= set(joiner.add(block).rows["first"].tolist())
        seen[window.row : window.row_stop, window.col : window.col_stop] = True
        complete = set()
        for i, first in enumerate(whole.rows["first"].tolist()):
            (outline,) = whole.take(np.array([i])).polygons()
            left, top, right, bottom = (int(side) for side in outline.bounds)
            # All blocks around the region exist, so it is complete.
            if seen[max(0, top - 1) : bottom + 1, max(0, left - 1) : right + 1].all():
                complete.add(first)
        assert complete <= given_away
    assert not joiner._groups and not joiner._parts and not joiner._borders


def test_no_block_is_no_region() -> None:
    assert len(RegionJoiner((4, 4)).finish()) == 0


def test_missing_blocks_are_noticed() -> None:
    joiner = RegionJoiner((2, 4))
    joiner.add(next(trace_blocks(np.zeros((2, 4), np.uint8), (2, 2))))
    with pytest.raises(ValueError, match="missing"):
        joiner.finish()


def test_a_hole_across_block_borders_is_kept() -> None:
    raster = np.full((6, 6), 254, np.uint8)
    raster[2:4, 2:4] = 0
    (polygon,) = join_regions(raster, (3, 3)).polygons()
    assert polygon.area == 32
    assert len(polygon.interiors) == 1


def test_corners_do_not_join() -> None:
    raster = np.array([[254, 0], [0, 254]], np.uint8)
    assert len(join_regions(raster, (1, 1))) == len(join_regions(raster)) == 2


def test_a_region_beside_missing_pixels_of_the_next_block_touches_the_edge() -> None:
    raster = np.zeros((5, 6), np.uint8)
    raster[2, 2], raster[2, 3], raster[2, 0] = 254, NODATA, NODATA
    for block in ((5, 3), (5, 1), (1, 1), (5, 6)):
        assert join_regions(raster, block).rows["at_edge"].tolist() == [True]
    raster[2, 3] = 0
    assert join_regions(raster, (5, 3)).rows["at_edge"].tolist() == [False]


def test_any_number_of_land_classes_is_counted_beside_blocks_without_data() -> None:
    raster = np.full((4, 9), 254, np.uint8)
    land = np.full((2, 4, 9), 8, np.uint8)
    land[1, :, 3:6] = 6
    joiner, spill = RegionJoiner(raster.shape), RegionFileWriter(BytesIO())
    spill.put(joiner.add(empty_block(Window(0, 0, 4, 3))))
    for col in (3, 6):
        place, window = (slice(None), slice(col, col + 3)), Window(0, col, 4, 3)
        spill.put(
            joiner.add(trace_regions(raster[place], window, LEVEL, 9, land[:, *place], classes=9))
        )
    shelf = spill.finish(joiner.finish())
    [counts] = shelf.rows["land"].tolist()
    assert counts == [[0, 0, 0, 0, 0, 0, 0, 0, 24], [0, 0, 0, 0, 0, 0, 12, 0, 12]]
