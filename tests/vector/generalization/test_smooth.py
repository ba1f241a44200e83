"""Stairs become slanted lines; borders move by a limited distance, and neighbours stay joined."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from region_files import blobs, region_file_of

from geochange.vector.generalization.outline_style import OutlineStyle
from geochange.vector.generalization.simplify import draw_outlines
from geochange.vector.generalization.smooth import smooth
from geochange.vector.tracing.polygons import Geometries

Mask = NDArray[np.bool_]

ALONE = np.empty(0, np.int64)
"""Outlines that touch no others."""


def drawn(mask: Mask, tolerance_px: float) -> Geometries:
    """The outlines of a mask as they are written."""
    shelf = region_file_of(mask.astype(np.uint8) * 254)
    return draw_outlines(shelf, OutlineStyle(tolerance_px)).of(np.arange(len(shelf)))


def regions_of(mask: Mask) -> Geometries:
    """The outlines of a mask with all their stairs."""
    return drawn(mask, 0)


small_masks = arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9)))
masks = st.one_of(small_masks, st.builds(blobs, st.integers(0, 10_000), st.just(16)))
some = settings(max_examples=40, deadline=None)


def distance(one: shapely.Geometry, other: shapely.Geometry) -> float:
    """The largest distance between the borders, from both sides, sampled every eighth of a pixel."""
    furthest = 0.0
    for a, b in ((one.boundary, other.boundary), (other.boundary, one.boundary)):
        probes = shapely.points(shapely.get_coordinates(shapely.segmentize(a, 0.125)))
        shapely.prepare(b)
        furthest = max(furthest, float(shapely.distance(probes, b).max()))
    return furthest


@pytest.mark.slow
@some
@given(masks, st.sampled_from([0.1, 0.3, 0.5, 1.0, 2.5]))
@example(np.tri(9, dtype=bool), 0.1)
def test_no_border_moves_further_than_said(mask: Mask, tolerance: float) -> None:
    before, after = regions_of(mask), drawn(mask, tolerance)
    assert len(after) == len(before)
    for one, other in zip(before, after, strict=True):
        assert distance(one, other) <= tolerance + 1e-9


@pytest.mark.slow
@some
@given(masks, st.sampled_from([0.2, 0.5, 1.5]))
def test_what_comes_out_is_valid_and_shares_no_ground(mask: Mask, tolerance: float) -> None:
    after = drawn(mask, tolerance)
    assert shapely.is_valid(after).all()
    assert (shapely.get_type_id(after) == 3).all()
    assert shapely.area(after).min(initial=1) > 0
    assert shapely.area(shapely.union_all(after)) == pytest.approx(shapely.area(after).sum())


@pytest.mark.slow
@some
@given(masks)
def test_holes_and_touching_corners_stay(mask: Mask) -> None:
    before, after = regions_of(mask), drawn(mask, 0.5)
    np.testing.assert_array_equal(
        shapely.get_num_interior_rings(before), shapely.get_num_interior_rings(after)
    )
    tree = shapely.STRtree(before)
    one, other = tree.query(before, predicate="touches")
    assert shapely.touches(after[one], after[other]).all()
    shared_before, shared_after = (
        shapely.normalize(shapely.intersection(outlines[one], outlines[other]))
        for outlines in (before, after)
    )
    np.testing.assert_array_equal(shared_before, shared_after)


@pytest.mark.parametrize("tolerance", [0.2, 0.5])
@pytest.mark.parametrize(("height", "width"), [(2, 2), (2, 9), (3, 2), (7, 5)])
def test_rectangles_stay_rectangles(tolerance: float, height: int, width: int) -> None:
    before = np.array([shapely.normalize(shapely.box(3, 4, 3 + width, 4 + height))])
    assert shapely.equals_exact(smooth(before, tolerance, ALONE), before, tolerance=0).all()


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (1, 9), (9, 1)])
def test_single_pixels_and_thin_lines_stay(height: int, width: int) -> None:
    before = regions_of(np.pad(np.ones((height, width), bool), 2))
    assert shapely.equals_exact(smooth(before, 0.5, ALONE), before, tolerance=0).all()


def stair(run: int, steps: int = 12) -> Geometries:
    """Ground below a regular slope that falls by a pixel every `run` pixels."""
    columns = np.arange(run * steps)
    return regions_of(np.arange(steps + 6)[:, None] >= columns // run)


@pytest.mark.parametrize("run", [1, 2, 3, 5])
def test_a_regular_stair_becomes_one_straight_line(run: int) -> None:
    (before,), (after,) = stair(run), smooth(stair(run), 0.5, ALONE)
    assert len(before.exterior.coords) > 20
    middle = shapely.box(2 * run, 0, 10 * run, 30)
    slope = shapely.intersection(shapely.simplify(after, 1e-9).boundary, middle)
    points = shapely.get_coordinates(slope)
    points = points[points[:, 1] < 17]
    rise = np.diff(points, axis=0)
    assert len(points) == 2
    np.testing.assert_allclose(rise[:, 0], rise[:, 1] * run, atol=1e-9)


@pytest.mark.parametrize("run", [1, 2, 3])
def test_a_stair_mirrored_or_turned_is_smoothed_alike(run: int) -> None:
    (after,) = smooth(stair(run), 0.5, ALONE)
    turned = shapely.transform(stair(run), lambda xy: xy[:, ::-1])
    (other,) = smooth(turned, 0.5, ALONE)
    assert shapely.equals(other, shapely.transform(after, lambda xy: xy[:, ::-1]))


def test_zero_keeps_the_stairs() -> None:
    before = stair(2)
    assert shapely.equals_exact(smooth(before, 0, ALONE), before, tolerance=0).all()


def test_nothing_to_smooth_is_nothing() -> None:
    assert len(smooth(np.empty(0, np.object_), 0.5, ALONE)) == 0
