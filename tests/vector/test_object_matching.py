"""Polygons are matched one to one, best pairs first, compared with all pairs counted by hand."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from polygon_files import square

from geochange.vector import object_matching as objects_module
from geochange.vector.object_matching import match_polygons, split_polygons

WHOLE = shapely.box(0, 0, 100, 100)


def geometries(*shapes: shapely.Geometry) -> np.ndarray:
    out = np.empty(len(shapes), dtype=object)
    out[:] = shapes
    return out


def test_the_best_pair_comes_first() -> None:
    found = geometries(square(0, 0, 10), square(40, 40, 10))
    reference = geometries(square(0, 4, 10), square(0, 1, 10), square(80, 80, 5))
    matches = match_polygons(found, reference, 0.1)
    assert (matches.found.tolist(), matches.reference.tolist()) == ([0], [1])
    assert matches.iou == pytest.approx([9 / 11])
    assert len(matches.above(0.5).iou) == 1 and len(matches.above(0.9).iou) == 0


def test_one_polygon_over_two_has_one_partner() -> None:
    found = geometries(square(0, 0, 10, 20))
    reference = geometries(square(0, 0, 10, 9), square(0, 11, 10, 9))
    assert len(match_polygons(found, reference, 0.1).iou) == 1


def test_touching_is_not_sharing() -> None:
    assert (
        len(match_polygons(geometries(square(0, 0, 5)), geometries(square(0, 5, 5)), 0.0).iou) == 0
    )


def test_nothing_on_either_side() -> None:
    none, one = geometries(), geometries(square(0, 0, 5))
    assert [
        len(match_polygons(a, b, 0.1).iou) for a, b in ((none, none), (none, one), (one, none))
    ] == [0] * 3


rectangles = st.lists(
    st.builds(square, *[st.integers(0, 30)] * 2, st.integers(1, 12), st.integers(1, 12)), max_size=9
)


@pytest.mark.slow
@settings(max_examples=80, deadline=None)
@given(ours=rectangles, theirs=rectangles, chunk=st.integers(1, 4))
def test_against_every_pair(
    ours: list[shapely.Polygon], theirs: list[shapely.Polygon], chunk: int
) -> None:
    table = np.array([[a.intersection(b).area / a.union(b).area for b in theirs] for a in ours])
    table = table.reshape(len(ours), len(theirs))
    expected = []
    while table.size and table.max() >= 0.1:
        row, col = np.unravel_index(table.argmax(), table.shape)
        expected.append((row, col, table[row, col]))
        table[row], table[:, col] = -1, -1
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects_module, "CHUNK", chunk)
        matches = match_polygons(geometries(*ours), geometries(*theirs), 0.1)
    assert matches.iou == pytest.approx([iou for _, _, iou in expected])
    assert len(set(matches.found)) == len(matches.found)
    assert len(set(matches.reference)) == len(matches.reference)


def test_parts_are_objects_and_cuts_are_not() -> None:
    both = shapely.MultiPolygon([square(0, 0, 2), square(50, 50, 3)])
    fork = shapely.union_all([square(10, 98, 2, 6), square(16, 98, 2, 6), square(10, 102, 8, 2)])
    parts = split_polygons(geometries(both, fork, square(0, 100, 5), square(200, 0, 5)), WHOLE)
    assert shapely.area(parts).tolist() == [4, 9, 8]


def test_a_polygon_that_crosses_itself_is_mended() -> None:
    bow_tie = shapely.Polygon([(2, 2), (8, 8), (8, 2), (2, 8)])
    assert shapely.area(split_polygons(geometries(bow_tie), WHOLE)).sum() == pytest.approx(18)
