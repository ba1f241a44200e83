"""Polygons from corners equal those of GDAL, in one valid form."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from hypothesis import example, given, settings
from region_files import CHESS, KNOT, RING, Bytes, blobs, gdal_polygons, join_regions, rasters

from geochange.vector.tracing.polygons import CORNER, place_of, polygons_of, row_col, sum_corners

some = settings(max_examples=60, deadline=None)


@pytest.mark.slow
@some
@given(rasters())
@example(KNOT)
@example(RING)
@example(CHESS)
@example(np.rot90(KNOT).copy())
def test_they_are_those_of_gdal(raster: Bytes) -> None:
    ours, theirs = join_regions(raster).polygons(), gdal_polygons(raster)
    assert shapely.to_wkb(ours).tolist() == shapely.to_wkb(theirs).tolist()


@pytest.mark.parametrize("seed", range(4))
def test_large_ones_are_those_of_gdal(seed: int) -> None:
    raster = blobs(seed, 160).astype(np.uint8) * 254
    ours, theirs = join_regions(raster, (50, 70), seed).polygons(), gdal_polygons(raster)
    assert shapely.to_wkb(ours).tolist() == shapely.to_wkb(theirs).tolist()


@pytest.mark.slow
@some
@given(rasters())
def test_outlines_are_valid_and_have_bends_only(raster: Bytes) -> None:
    polygons = join_regions(raster).polygons()
    assert shapely.is_valid(polygons).all()
    for polygon in polygons:
        for ring in [polygon.exterior, *polygon.interiors]:
            x, y = np.diff(shapely.get_coordinates(ring), axis=0).T
            assert (x * np.roll(y, -1) != y * np.roll(x, -1)).all()


def test_everything_changed_is_one_rectangle() -> None:
    regions = join_regions(np.full((5, 4), 254, np.uint8), (2, 3))
    box = shapely.normalize(shapely.box(0, 0, 4, 5))
    assert shapely.equals_exact(regions.polygons(), [box], tolerance=0).all()
    assert regions.rows["pixels"].tolist() == [20]
    assert regions.rows["at_edge"].tolist() == [True]


def test_no_corners_are_no_polygons() -> None:
    assert polygons_of(np.empty(0, CORNER), np.empty(0, np.int64)).shape == (0,)


def test_places_name_corners_beyond_any_raster() -> None:
    row, col = np.array([0, 3, 2**30]), np.array([2**31, 0, 2**31 - 1])
    back = row_col(place_of(row, col))
    np.testing.assert_array_equal(back, (row, col))
    assert (np.diff(place_of(row, col)) > 0).all()


def test_corners_of_two_squares_side_by_side_add_up_to_those_of_one() -> None:
    squares = np.array([(0, 1), (1, -1), (4, -1), (5, 1), (1, 1), (2, -1), (5, -1), (6, 1)], CORNER)
    owner, corners = sum_corners(np.zeros(8, np.int64), squares)
    assert corners.tolist() == [(0, 1), (2, -1), (4, -1), (6, 1)]
    assert owner.tolist() == [0, 0, 0, 0]
    owner, corners = sum_corners(np.repeat([1, 0], 4), squares)
    assert owner.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert corners.tolist() == squares[[4, 5, 6, 7, 0, 1, 2, 3]].tolist()
