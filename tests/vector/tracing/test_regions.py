"""Regions of one block are connected pixels, with their statistics."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from region_files import CHESS, KNOT, LEVEL, RING, Bytes, join_regions, rasters

from geochange.grid.probability_bytes import NODATA
from geochange.grid.tiling import Window
from geochange.vector.tracing.regions import NO_DATA_LABEL, trace_regions


def flooded(raster: Bytes) -> list[set[tuple[int, int]]]:
    """The pixels of each region by flood fill, in the order of first pixels, without geochange."""
    left = {(int(r), int(c)) for r, c in np.argwhere((raster >= LEVEL) & (raster != NODATA))}
    regions = []
    for start in sorted(left):
        if start not in left:
            continue
        region, edge = set(), [start]
        while edge:
            row, col = edge.pop()
            if (row, col) in left:
                left.remove((row, col))
                region.add((row, col))
                edge += [(row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)]
        regions.append(region)
    return regions


def is_at_edge(raster: Bytes, region: set[tuple[int, int]]) -> bool:
    framed = np.pad(raster, 1, constant_values=NODATA)
    steps = ((-1, 0), (1, 0), (0, -1), (0, 1))
    return any(framed[r + 1 + i, c + 1 + j] == NODATA for r, c in region for i, j in steps)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(rasters())
@example(KNOT)
@example(RING)
@example(CHESS)
def test_regions_are_the_pixels_that_hang_together(raster: Bytes) -> None:
    regions = join_regions(raster)
    expected = flooded(raster)
    assert len(regions) == len(expected)
    for row, polygon, pixels in zip(regions.rows, regions.polygons(), expected, strict=True):
        values = [int(raster[pixel]) for pixel in pixels]
        top, left = min(pixels)
        assert row["first"] == top * raster.shape[1] + left
        assert (row["pixels"], row["total"], row["peak"]) == (len(values), sum(values), max(values))
        assert row["at_edge"] == is_at_edge(raster, pixels)
        boxes = [shapely.box(col, row, col + 1, row + 1) for row, col in pixels]
        assert shapely.equals(polygon, shapely.union_all(boxes))


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(rasters())
def test_borders_say_which_region_holds_each_pixel(raster: Bytes) -> None:
    block = trace_regions(raster, Window(0, 0, *raster.shape), LEVEL, raster.shape[1])
    expected = np.where(raster == NODATA, NO_DATA_LABEL, 0)
    rows = {int(first): i + 1 for i, first in enumerate(block.regions.rows["first"])}
    for pixels in flooded(raster):
        top, left = min(pixels)
        for pixel in pixels:
            expected[pixel] = rows[top * raster.shape[1] + left]
    sides = (expected[0], expected[-1], expected[:, 0], expected[:, -1])
    for border, side in zip(block.borders, sides, strict=True):
        np.testing.assert_array_equal(border, side)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0, 126, NODATA])
def test_nothing_changed_is_no_region(value: int) -> None:
    regions = join_regions(np.full((5, 4), value, np.uint8), (2, 2))
    assert len(regions) == 0
    assert regions.polygons().shape == (0,)


@pytest.mark.parametrize(("level", "changed"), [(1, 2), (254, 1)])
def test_the_lowest_and_the_highest_level(level: int, changed: int) -> None:
    raster = np.array([[0, 1, 0, 254, NODATA, 0]], np.uint8)
    assert len(trace_regions(raster, Window(0, 0, 1, 6), level, 6).regions) == changed


def test_a_view_of_a_larger_raster_is_traced_alike() -> None:
    raster = np.random.default_rng(0).integers(100, 255, (20, 30)).astype(np.uint8)
    window = Window(4, 6, 10, 12)
    view = raster[window.within(Window(0, 0, 20, 30))]
    one, other = (trace_regions(part, window, LEVEL, 30).regions for part in (view, view.copy()))
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.corners, other.corners)


def test_sums_do_not_overflow() -> None:
    regions = join_regions(np.full((1, 70_000), 254, np.uint8))
    assert regions.rows["total"].tolist() == [70_000 * 254]


def test_first_names_a_pixel_beyond_32_bits() -> None:
    block = trace_regions(np.full((1, 1), 254, np.uint8), Window(100_000, 7, 1, 1), LEVEL, 100_000)
    assert block.regions.rows["first"].tolist() == [100_000 * 100_000 + 7]
    assert shapely.bounds(block.regions.polygons()).tolist() == [[7, 100_000, 8, 100_001]]
