"""Grids are cropped, compared and intersected without reading pixels."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from makers import LONLAT, NORTH_UP, UTM
from pyproj import CRS, Transformer

from geochange.grid.grid import Grid, to_ground
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


def degrees(west: float, width: int, north: float = 60, pixel: float = 0.25) -> Grid:
    return Grid(LONLAT, Affine(pixel, 0, west, 0, -pixel, north), (40, width))


@pytest.mark.parametrize(
    ("one", "other", "offset"),
    [
        (degrees(200, 40), degrees(-160, 40), (0, 0)),
        (degrees(-160, 40), degrees(200, 40), (0, 0)),
        (degrees(179, 40), degrees(-181, 40), (0, 0)),
        (degrees(179, 40), degrees(-179, 40, 59), (4, 8)),
        (degrees(0, 1440), degrees(-10, 40), (0, 1400)),
        (degrees(-180, 1444), degrees(-180, 1444), (0, 0)),
        (degrees(10, 40), degrees(300, 40), (0, 1160)),
    ],
    ids=["200", "-160", "over 180", "over 180, cut", "over 0", "the world", "apart"],
)
def test_a_lattice_of_degrees_goes_round(one: Grid, other: Grid, offset: tuple[int, int]) -> None:
    assert one.same_lattice(other) == offset


@pytest.mark.parametrize("grids", [(-180, 0), (0, -180), (-180, 90)])
def test_worlds_that_begin_elsewhere_have_no_single_offset(grids: tuple[float, float]) -> None:
    one, other = (degrees(west, 1440) for west in grids)
    assert one.same_lattice(other) is None


@pytest.mark.slow
@pytest.mark.parametrize(
    ("crs", "x", "pixel"),
    [
        ("EPSG:4326", 200, 0.01),
        ("EPSG:4326", -181, 0.01),
        ("EPSG:4267", 179, 0.01),
        ("EPSG:3857", 20_000_000, 500),
        ("EPSG:3832", 20_000_000, 500),
        ("EPSG:3395", -20_050_000, 500),
    ],
)
def test_pixels_for_a_warp_are_where_they_were(crs: str, x: float, pixel: float) -> None:
    grid = Grid(CRS.from_user_input(crs), Affine(pixel, 0, x, 0, -pixel, 50), (100, 200))
    there = grid.continuous(grid)
    assert there.crs != grid.crs and sum(there.span) == pytest.approx(0, abs=1e-6 * pixel)
    cols, rows = np.array([0.0, 77.0, 200.0]), np.array([0.0, 3.0, 100.0])
    found = Transformer.from_crs(there.crs, "EPSG:4326", always_xy=True).transform(
        *(there.transform @ (cols, rows))
    )
    expected = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform(
        *(grid.transform @ (cols, rows))
    )
    assert (found[0] - expected[0] + 180) % 360 == pytest.approx(180, abs=1e-9)
    assert found[1] == pytest.approx(expected[1], abs=1e-9)
    back = Transformer.from_crs("EPSG:4326", there.crs, always_xy=True).transform(*expected)
    assert back[0] == pytest.approx((there.transform @ (cols, rows))[0], abs=1e-6 * pixel)


def test_most_pixels_are_warped_as_they_are() -> None:
    for grid in (GRID, degrees(10, 40), degrees(-180, 1440)):
        assert grid.continuous(GRID) is grid
    assert degrees(10, 40).continuous(degrees(370, 40)) != degrees(10, 40)
