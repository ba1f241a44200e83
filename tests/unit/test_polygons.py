"""Regions cut from blocks and joined are those of the whole raster, bit for bit."""

from __future__ import annotations

from dataclasses import fields
from itertools import product

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from geochange.geo.polygons import Joiner, Regions, canonical, trace
from geochange.geo.probability import NODATA
from geochange.geo.tiling import Window

LEVEL = 127
VALUES = (0, 126, 127, 200, 254, NODATA)

Bytes = NDArray[np.uint8]


@st.composite
def rasters(draw: st.DrawFn) -> Bytes:
    """Between 1 x 1 and 13 x 13 pixels, half of them change."""
    shape = draw(st.tuples(st.integers(1, 13), st.integers(1, 13)))
    values = st.sampled_from((0, 126, 127, 127, 200, 254, NODATA))
    return draw(arrays(np.uint8, shape, elements=values, fill=st.nothing()))


def joined(raster: Bytes, block: tuple[int, int], order: int = 0) -> Regions:
    """The regions by way of blocks of that size, added in an order that `order` seeds."""
    height, width = raster.shape
    windows = [
        Window(row, col, min(block[0], height - row), min(block[1], width - col))
        for row, col in product(range(0, height, block[0]), range(0, width, block[1]))
    ]
    joiner = Joiner((height, width))
    for i in np.random.default_rng(order).permutation(len(windows)):
        part = raster[windows[i].within(Window(0, 0, height, width))]
        joiner.add(trace(part, windows[i], LEVEL, width))
    return joiner.finish()


def whole(raster: Bytes) -> Regions:
    return joined(raster, raster.shape)


def flooded(raster: Bytes) -> list[set[tuple[int, int]]]:
    """The pixels of each region by flooding, in the order of first pixels: no code of geochange."""
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


def assert_same(one: Regions, other: Regions) -> None:
    for field in fields(Regions):
        if field.name != "polygon":
            first, second = getattr(one, field.name), getattr(other, field.name)
            assert first.dtype == second.dtype
            np.testing.assert_array_equal(first, second, err_msg=field.name)
    assert shapely.equals_exact(one.polygon, other.polygon, tolerance=0).all()


KNOT = np.array([[0, 1, 1, 1], [1, 1, 0, 1], [1, 0, 1, 1], [1, 1, 1, 0]], np.uint8) * 254
RING = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 1], [1, 1, 1, 1]], np.uint8) * 254
CHESS = (np.indices((7, 7)).sum(axis=0) % 2 * 254).astype(np.uint8)


@settings(max_examples=40, deadline=None)
@given(rasters(), st.integers(1, 13), st.integers(1, 13), st.integers(0, 9))
@example(KNOT, 2, 2, 0)
@example(RING, 2, 1, 1)
@example(CHESS, 3, 3, 2)
def test_blocks_give_what_the_whole_gives(
    raster: Bytes, height: int, width: int, order: int
) -> None:
    assert_same(joined(raster, (height, width), order), whole(raster))


@settings(max_examples=40, deadline=None)
@given(rasters())
@example(KNOT)
@example(RING)
@example(CHESS)
def test_regions_are_the_pixels_that_hang_together(raster: Bytes) -> None:
    regions = whole(raster)
    expected = flooded(raster)
    assert len(regions) == len(expected)
    for i, pixels in enumerate(expected):
        values = [int(raster[pixel]) for pixel in pixels]
        row, col = min(pixels)
        assert regions.first[i] == row * raster.shape[1] + col
        assert (regions.pixels[i], regions.total[i]) == (len(values), sum(values))
        assert regions.peak[i] == max(values)
        assert regions.at_edge[i] == is_at_edge(raster, pixels)
        boxes = [shapely.box(col, row, col + 1, row + 1) for row, col in pixels]
        union = shapely.union_all(boxes)
        assert shapely.get_type_id(regions.polygon[i]) == 3
        assert shapely.is_valid(regions.polygon[i])
        assert shapely.area(regions.polygon[i]) == len(pixels)
        assert shapely.equals(regions.polygon[i], union)


@settings(max_examples=20, deadline=None)
@given(rasters())
def test_outlines_have_corners_only(raster: Bytes) -> None:
    for polygon in whole(raster).polygon:
        for ring in [polygon.exterior, *polygon.interiors]:
            x, y = np.diff(shapely.get_coordinates(ring), axis=0).T
            assert (x * np.roll(y, -1) != y * np.roll(x, -1)).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0, 126, NODATA])
def test_nothing_changed_is_no_region(value: int) -> None:
    regions = joined(np.full((5, 4), value, np.uint8), (2, 2))
    assert len(regions) == 0
    assert regions.polygon.shape == (0,)


def test_no_block_is_no_region() -> None:
    assert len(Joiner((4, 4)).finish()) == 0


def test_everything_changed_is_one_rectangle() -> None:
    regions = joined(np.full((5, 4), 254, np.uint8), (2, 3))
    assert shapely.equals_exact(regions.polygon, canonical(np.array([shapely.box(0, 0, 4, 5)])))
    assert regions.pixels.tolist() == [20]
    assert regions.at_edge.tolist() == [True]


def test_a_hole_across_block_borders_is_kept() -> None:
    raster = np.full((6, 6), 254, np.uint8)
    raster[2:4, 2:4] = 0
    (polygon,) = joined(raster, (3, 3)).polygon
    assert polygon.area == 32
    assert len(polygon.interiors) == 1


def test_corners_do_not_join() -> None:
    raster = np.array([[254, 0], [0, 254]], np.uint8)
    assert len(joined(raster, (1, 1))) == len(whole(raster)) == 2


def test_a_region_beside_missing_pixels_of_the_next_block_touches_the_edge() -> None:
    raster = np.zeros((5, 6), np.uint8)
    raster[2, 2], raster[2, 3], raster[2, 0] = 254, NODATA, NODATA
    for block in ((5, 3), (5, 1), (1, 1), (5, 6)):
        assert joined(raster, block).at_edge.tolist() == [True]
    raster[2, 3] = 0
    assert joined(raster, (5, 3)).at_edge.tolist() == [False]


def test_sums_do_not_overflow() -> None:
    regions = whole(np.full((1, 70_000), 254, np.uint8))
    assert regions.total.tolist() == [70_000 * 254]


def test_first_names_a_pixel_beyond_32_bits() -> None:
    block = trace(np.full((1, 1), 254, np.uint8), Window(100_000, 7, 1, 1), LEVEL, 100_000)
    assert block.regions.first.tolist() == [100_000 * 100_000 + 7]
