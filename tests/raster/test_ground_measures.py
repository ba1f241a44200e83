"""Metres on the ground for lengths in pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from makers import LONLAT, NORTH_UP, UTM, make_raster
from pyproj import CRS

from geochange.grid.grid import Grid
from geochange.raster.bands import Bands
from geochange.raster.ground_measures import common_area_of, ground_shift_of, pixel_m
from geochange.raster.pair import align_pair
from geochange.raster.reader import inspect_raster


@pytest.mark.parametrize(
    ("shift", "towards"),
    [
        ((0.0, 2.0), "east"),
        ((0.0, -2.0), "west"),
        ((2.0, 0.0), "south"),
        ((-2.0, 0.0), "north"),
        ((1.0, 1.0), "south-east"),
        ((-1.0, -1.0), "north-west"),
    ],
)
def test_rows_go_south_and_columns_east(shift: tuple[float, float], towards: str) -> None:
    found = ground_shift_of(Grid(UTM, NORTH_UP, (100, 100)), shift)
    assert found.towards == towards
    assert found.metres == pytest.approx(10 * np.hypot(*shift), rel=1e-3)


def test_a_way_in_degrees_is_in_metres_too() -> None:
    grid = Grid(LONLAT, Affine(1e-4, 0, 11, 0, -1e-4, 60), (100, 100))
    found = ground_shift_of(grid, (0, 1))
    assert found.towards == "east"
    assert found.metres == pytest.approx(5.58, abs=0.02)  # cos 60 of 11.13 m
    assert found.text == "5.58 m"


def test_pixels_of_a_map_that_stretches_are_measured_where_they_lie() -> None:
    mercator = CRS.from_epsg(3857)
    world = Grid(mercator, Affine(10_000, 0, -2e7, 0, -10_000, 2e7), (4000, 4000))
    north = Grid(mercator, Affine(10, 0, 1e6, 0, -10, 8_399_737), (4000, 4000))  # 60 degrees north
    assert pixel_m(world, north) == pytest.approx(5000, rel=0.02)
    assert pixel_m(north, world) == pytest.approx(5, rel=0.02)


def test_the_common_ground_and_its_shares(tmp_path: Path) -> None:
    before = make_raster(tmp_path / "before.tif", np.ones((100, 100), np.uint8))
    half = NORTH_UP @ Affine.translation(50, 0)
    after = make_raster(tmp_path / "after.tif", np.ones((50, 100), np.uint8), transform=half)
    found = common_area_of(
        align_pair(inspect_raster(before), inspect_raster(after), "before", Bands((1,), (1,)))
    )
    assert found.km2 == pytest.approx(0.25, rel=2e-3)
    assert (found.of_before, found.of_after) == pytest.approx((0.25, 0.5), rel=1e-3)
