"""Longitudes and latitudes of outlines and points, also across the antimeridian."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from makers import LONLAT, NORTH_UP, UTM
from pyproj import CRS, Transformer

from geochange.grid.grid import Grid, to_ground
from geochange.grid.lonlat import on_the_globe, outline_of, points_in, size_m

OVER = Grid(LONLAT, Affine(0.1, 0, 179, 0, -0.1, -16), (10, 20))
FIJI = Grid(CRS.from_epsg(32760), Affine(1000, 0, 780_000, 0, -1000, 8_110_000), (50, 100))


def test_an_outline_is_where_its_corners_are() -> None:
    outline = outline_of(Grid(UTM, NORTH_UP, (100, 200)))
    assert outline is not None
    west, south, east, north = outline.bounds
    assert (west, north) == (pytest.approx(9, abs=1e-9), pytest.approx(45.15, abs=0.01))
    assert east - west == pytest.approx(0.0254, abs=1e-3) and south < north


@pytest.mark.parametrize("grid", [OVER, FIJI])
def test_over_the_antimeridian_it_is_one_piece_that_becomes_two(grid: Grid) -> None:
    outline = outline_of(grid)
    assert outline is not None and outline.is_valid
    assert outline.bounds[0] < 180 < outline.bounds[2] < 190
    geometry, bbox = on_the_globe(outline)
    shape = shapely.geometry.shape(geometry)
    assert geometry["type"] == "MultiPolygon" and len(shape.geoms) == 2 and shape.is_valid
    assert shape.bounds[0] >= -180 and shape.bounds[2] <= 180
    assert bbox[0] > 0 > bbox[2]
    assert shape.area == pytest.approx(outline.area, rel=1e-4)


def test_the_world_stays_the_world() -> None:
    outline = outline_of(Grid(LONLAT, Affine(1, 0, -180, 0, -1, 90), (180, 360)))
    assert outline is not None
    geometry, bbox = on_the_globe(outline)
    assert geometry["type"] == "Polygon" and bbox == [-180, -90, 180, 90]


def test_a_straight_edge_has_few_points() -> None:
    outline = outline_of(Grid(UTM, NORTH_UP, (100, 200)))
    assert outline is not None
    geometry, _ = on_the_globe(outline)
    (ring,) = geometry["coordinates"]
    assert len(ring) < 12


def test_points_lie_in_their_polygons() -> None:
    shape = shapely.Polygon([(0, 0), (9, 0), (9, 9), (8, 9), (8, 1), (0, 1)])
    ground = to_ground(shape, NORTH_UP)
    (place,) = points_in([ground], UTM)
    assert place is not None
    lon, lat = place
    x, y = Transformer.from_crs(LONLAT, UTM, always_xy=True).transform(lon, lat)
    assert ground.contains(shapely.Point(x, y))


def test_sizes_are_on_the_ellipsoid() -> None:
    height, width = size_m(Grid(UTM, NORTH_UP, (100, 200)))
    np.testing.assert_allclose((height, width), np.array([1000, 2000]) / 0.9996, rtol=1e-5)
    height, width = size_m(OVER)
    assert height == pytest.approx(110_650, rel=1e-2)
    assert width == pytest.approx(2 * 111_320 * np.cos(np.radians(16.5)), rel=1e-2)
