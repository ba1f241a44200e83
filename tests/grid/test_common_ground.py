"""Common ground is that of places, in whatever CRS and with whatever count of longitudes."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import LONLAT, NORTH_UP, UTM
from pyproj import CRS, Transformer

from geochange.grid.common_ground import common_ground, common_window
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.grid.transform_geometry import reproject

GRID = Grid(UTM, NORTH_UP, (40, 60))
ROTATED = Affine.translation(500_100, 4_999_900) @ Affine.rotation(30) @ Affine.scale(7, -7)


def shifted(rows: float, cols: float, shape: tuple[int, int] = (40, 60)) -> Grid:
    return Grid(UTM, NORTH_UP @ Affine.translation(cols, rows), shape)


@pytest.mark.slow
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


def place(crs: str, x: float, y: float, pixel: float, shape: tuple[int, int]) -> Grid:
    return Grid(CRS.from_user_input(crs), Affine(pixel, 0, x, 0, -pixel, y), shape)


TURNED = "+proj=stere +lat_0=90 +lat_ts=75 +lon_0=17 +datum=WGS84"

EVERYWHERE = {
    "degrees to 181": place("EPSG:4326", 179, 60, 0.01, (200, 200)),
    "degrees from -181": place("EPSG:4326", -181, 60, 0.01, (200, 200)),
    "NAD83": place("EPSG:4269", -180.53, 59.47, 0.01, (300, 200)),
    "at 200": place("EPSG:4326", 200, 60, 0.01, (100, 100)),
    "at -160": place("EPSG:4326", -160.3, 60, 0.007, (100, 100)),
    "UTM 60": place("EPSG:32660", 600_000, 6_660_000, 1000, (200, 300)),
    "UTM 1": place("EPSG:32601", 200_000, 6_640_000, 1000, (200, 200)),
    "Mercator of the Pacific": place("EPSG:3832", 3_250_000, 8_350_000, 1000, (300, 200)),
    "web Mercator over its end": place("EPSG:3857", 19_950_000, 8_300_000, 1000, (200, 200)),
    "the world": place("EPSG:4326", -180, 90, 1, (180, 360)),
    "the world from 0": place("EPSG:4326", 0, 90, 0.5, (360, 720)),
    "the north": place("EPSG:4326", -180, 90, 0.25, (200, 1440)),
    "pole": place("EPSG:3413", -2e6, 2e6, 2e4, (200, 200)),
    "a corner at the pole": place("EPSG:3413", 0, 2e6, 2e4, (100, 100)),
    "an edge at the pole": place(TURNED, -1e6, 2e6, 2e4, (100, 100)),
    "beside the pole": place(TURNED, 1.3e4, 2e6, 2e4, (100, 100)),
}
APART = ("at 200", "at -160"), ("at -160", "at 200")
PAIRS = [
    (one, other)
    for one in EVERYWHERE
    for other in EVERYWHERE
    if one != other and not (one.startswith("at") ^ other.startswith("at"))
]


def seen(grid: Grid, other: Grid) -> np.ndarray:
    """Which middles of pixels of one grid lie on another, point by point."""
    rows, cols = np.indices(grid.shape) + 0.5
    move = Transformer.from_crs(grid.crs, other.crs, always_xy=True).transform
    x, y = np.nan_to_num(move(*(grid.transform @ (cols, rows))), posinf=1e30)
    turn = 360 if other.crs.is_geographic else 2 * np.pi * 6_378_137
    found = np.zeros(grid.shape, bool)
    for turns in (-1, 0, 1) if other.crs.to_epsg() in (4326, 4269, 3857, 3832) else (0,):
        col, row = ~other.transform @ (x + turns * turn, y)
        found |= (col >= 0) & (row >= 0) & (col < other.shape[1]) & (row < other.shape[0])
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_common_ground_is_what_single_points_say(one: str, other: str) -> None:
    grid, against = EVERYWHERE[one], EVERYWHERE[other]
    ground, expected = common_ground(grid, [against]), seen(grid, against)
    if ground is None:
        assert expected.sum() <= 2
        return
    rows, cols = np.indices(grid.shape) + 0.5
    assert (shapely.contains_xy(ground, cols, rows) != expected).sum() <= 3
    found = np.argwhere(expected)
    window = common_window(grid, [against])
    assert window is not None
    assert (window.row, window.col) == pytest.approx(found.min(axis=0), abs=1)
    assert (window.row_stop, window.col_stop) == pytest.approx(found.max(axis=0) + 1, abs=1)
