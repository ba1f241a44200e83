"""Grids are cropped, compared and intersected without reading pixels."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import LONLAT, NORTH_UP, UTM
from pyproj import CRS

from geochange.grid.grid import Grid, common_window, reproject, to_ground
from geochange.grid.tiling import Window

GRID = Grid(UTM, NORTH_UP, (40, 60))
ROTATED = Affine.translation(500_100, 4_999_900) @ Affine.rotation(30) @ Affine.scale(7, -7)


def shifted(rows: float, cols: float, shape: tuple[int, int] = (40, 60)) -> Grid:
    return Grid(UTM, NORTH_UP @ Affine.translation(cols, rows), shape)


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED, Affine(2, 0, 5, 0, 3, 7)])
def test_crop_keeps_pixels_where_they_are(transform: Affine) -> None:
    cropped = Grid(UTM, transform, (40, 60)).crop(Window(4, 9, 20, 30))
    assert cropped.shape == (20, 30)
    assert cropped.transform @ (1, 2) == pytest.approx(transform @ (10, 6), abs=1e-6)


@pytest.mark.parametrize(
    ("transform", "size"),
    [
        (NORTH_UP, (10, 10)),
        (ROTATED, (7, 7)),
        (Affine(2, 0, 5, 0, 3, 7), (3, 2)),
        (Affine.rotation(50) @ Affine.scale(4, -6), (6, 4)),
    ],
)
def test_pixel_size_is_height_and_width(transform: Affine, size: tuple[float, float]) -> None:
    assert Grid(UTM, transform, (1, 1)).pixel_size == pytest.approx(size, rel=1e-12)


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
def test_footprint_has_the_area_of_the_pixels_and_points_along_its_edges(transform: Affine) -> None:
    outline = Grid(UTM, transform, (40, 60)).footprint()
    assert outline.area == pytest.approx(40 * 60 * abs(transform.determinant), rel=1e-9)
    assert len(outline.exterior.coords) > 50
    for corner in ((0, 0), (60, 0), (60, 40), (0, 40)):
        assert outline.boundary.distance(shapely.Point(transform @ corner)) < 1e-6


def test_to_ground_moves_points_and_back() -> None:
    line = shapely.LineString([(0, 0), (3.5, 2), (10, 40)])
    moved = to_ground(line, ROTATED)
    assert moved.coords[1] == pytest.approx(ROTATED @ (3.5, 2), abs=1e-9)
    assert shapely.equals_exact(to_ground(moved, ~ROTATED), line, tolerance=1e-7)


@pytest.mark.parametrize("rows", [-7, 0, 13])
@pytest.mark.parametrize("cols", [-2, 0, 5])
def test_same_lattice_counts_whole_pixels(rows: int, cols: int) -> None:
    assert GRID.same_lattice(shifted(rows, cols, (9, 9))) == (rows, cols)


@pytest.mark.parametrize(
    "other",
    [
        shifted(0.5, 0),
        shifted(0, 0.02),
        Grid(UTM, NORTH_UP @ Affine.scale(1.001, 1), (40, 60)),
        Grid(UTM, NORTH_UP @ Affine.rotation(0.05), (40, 60)),
        Grid(UTM, NORTH_UP @ Affine.scale(1, -1), (40, 60)),
        Grid(UTM, NORTH_UP @ Affine.scale(2), (20, 30)),
        Grid(CRS.from_epsg(32633), NORTH_UP, (40, 60)),
    ],
    ids=["half a pixel", "0.02 pixels", "stretched", "turned", "upside down", "coarser", "crs"],
)
def test_other_lattices_are_told_apart(other: Grid) -> None:
    assert GRID.same_lattice(other) is None


def test_a_thousandth_of_a_pixel_is_the_same_lattice() -> None:
    assert GRID.same_lattice(shifted(3.001, -2.001)) == (3, -2)


def test_same_lattice_takes_a_crs_in_other_words() -> None:
    in_wkt1 = CRS.from_wkt(LONLAT.to_wkt("WKT1_GDAL"))
    here = Affine(0.001, 0, 9, 0, -0.001, 50)
    assert Grid(LONLAT, here, (5, 5)).same_lattice(Grid(in_wkt1, here, (5, 5))) == (0, 0)


@settings(max_examples=40, deadline=None)
@given(st.integers(-50, 50), st.integers(-70, 70), st.integers(1, 50), st.integers(1, 70))
def test_common_window_of_one_lattice_is_the_intersection(
    row: int, col: int, height: int, width: int
) -> None:
    expected = GRID.full_window.intersection(Window(row, col, height, width))
    assert common_window(GRID, [GRID, shifted(row, col, (height, width))]) == expected


def test_common_window_holds_every_pixel_that_is_touched() -> None:
    assert common_window(GRID, [shifted(3.5, 4.25, (2, 2))]) == Window(3, 4, 3, 3)


def test_common_window_needs_all_of_the_others() -> None:
    left, right = shifted(0, 0, (40, 30)), shifted(0, 30, (40, 30))
    assert common_window(GRID, [left, right]) is None
    assert common_window(GRID, [left, shifted(0, 20, (40, 30))]) == Window(0, 20, 40, 10)


def test_common_window_compares_places_not_numbers() -> None:
    west, south, east, north = reproject(GRID.footprint(), UTM, LONLAT).bounds
    pixel = (east - west) / 60, (north - south) / 40
    same_ground = Grid(LONLAT, Affine(pixel[0], 0, west, 0, -pixel[1], north), (40, 60))
    assert common_window(GRID, [same_ground]) == GRID.full_window
    same_numbers = Grid(CRS.from_epsg(32633), NORTH_UP, (40, 60))
    assert common_window(GRID, [same_numbers]) is None


def test_common_window_of_a_turned_grid_is_its_bounding_box() -> None:
    turned = Grid(UTM, ROTATED, (10, 10))
    window = common_window(GRID, [turned])
    corners = [~NORTH_UP @ (ROTATED @ corner) for corner in ((0, 0), (10, 0), (0, 10), (10, 10))]
    cols, rows = np.array(corners).T
    assert window == Window(
        int(np.floor(rows.min())),
        int(np.floor(cols.min())),
        int(np.ceil(rows.max()) - np.floor(rows.min())),
        int(np.ceil(cols.max()) - np.floor(cols.min())),
    )


def test_ground_that_another_crs_cannot_hold_is_not_common() -> None:
    antipode = Grid(LONLAT, Affine(0.01, 0, -171, 0, -0.01, -45), (10, 10))
    assert common_window(GRID, [antipode]) is None


def test_reproject_there_and_back() -> None:
    box = shapely.box(500_000, 5_000_000, 501_000, 5_001_000)
    there = reproject(box, UTM, LONLAT)
    assert there.bounds == pytest.approx((9.0, 45.15, 9.013, 45.16), abs=0.01)
    assert shapely.equals_exact(reproject(there, LONLAT, UTM), box, tolerance=1e-6)
