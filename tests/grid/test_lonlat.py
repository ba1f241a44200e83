"""Longitudes and latitudes of outlines and points, also across the antimeridian."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from makers import LONLAT, NORTH_UP, UTM
from pyproj import CRS, Transformer

from geochange.grid.grid import Grid, to_ground
from geochange.grid.lonlat import (
    bounds_of,
    outline_in_wgs84,
    representative_points,
    size_m,
    to_geojson,
    to_wgs84,
)

OVER = Grid(LONLAT, Affine(0.1, 0, 179, 0, -0.1, -16), (10, 20))
FIJI = Grid(CRS.from_epsg(32760), Affine(1000, 0, 780_000, 0, -1000, 8_110_000), (50, 100))


def test_an_outline_is_where_its_corners_are() -> None:
    outline = outline_in_wgs84(Grid(UTM, NORTH_UP, (100, 200)))
    assert outline is not None
    west, south, east, north = outline.bounds
    assert (west, north) == (pytest.approx(9, abs=1e-9), pytest.approx(45.15, abs=0.01))
    assert east - west == pytest.approx(0.0254, abs=1e-3) and south < north


@pytest.mark.parametrize("grid", [OVER, FIJI])
def test_over_the_antimeridian_it_is_one_piece_that_becomes_two(grid: Grid) -> None:
    outline = outline_in_wgs84(grid)
    assert outline is not None and outline.is_valid
    assert outline.bounds[0] < 180 < outline.bounds[2] < 190
    geometry, bbox = to_geojson(outline)
    shape = shapely.geometry.shape(geometry)
    assert geometry["type"] == "MultiPolygon" and len(shape.geoms) == 2 and shape.is_valid
    assert shape.bounds[0] >= -180 and shape.bounds[2] <= 180
    assert bbox[0] > 0 > bbox[2]
    assert shape.area == pytest.approx(outline.area, rel=1e-4)


def test_the_world_stays_the_world() -> None:
    outline = outline_in_wgs84(Grid(LONLAT, Affine(1, 0, -180, 0, -1, 90), (180, 360)))
    assert outline is not None
    geometry, bbox = to_geojson(outline)
    assert geometry["type"] == "Polygon" and bbox == [-180, -90, 180, 90]


def test_a_straight_edge_has_few_points() -> None:
    outline = outline_in_wgs84(Grid(UTM, NORTH_UP, (100, 200)))
    assert outline is not None
    geometry, _ = to_geojson(outline)
    (ring,) = geometry["coordinates"]
    assert len(ring) < 12


def test_points_lie_in_their_polygons() -> None:
    shape = shapely.Polygon([(0, 0), (9, 0), (9, 9), (8, 9), (8, 1), (0, 1)])
    ground = to_ground(shape, NORTH_UP)
    (place,) = representative_points([ground], UTM)
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


POLES = {
    # name: (CRS, x and y of the upper left corner, latitude at the corners)
    "north": ("EPSG:3413", -1e6, 1e6, 1),
    "north, off its middle": ("EPSG:3995", -1e6, 1.7e6, 1),
    "south": ("EPSG:3031", -1e6, 1e6, -1),
    "a corner at the pole": ("EPSG:3413", 0, 2e6, 1),
}


@pytest.mark.parametrize("name", POLES)
def test_over_a_pole_the_outline_reaches_up_to_it(name: str) -> None:
    crs, x, y, side = POLES[name]
    grid = Grid(CRS.from_user_input(crs), Affine(1e4, 0, x, 0, -1e4, y), (200, 200))
    outline = outline_in_wgs84(grid)
    assert outline is not None
    geometry, bbox = to_geojson(outline)
    shape = shapely.geometry.shape(geometry)
    assert shape.is_valid and bbox[3 if side == 1 else 1] == 90 * side
    if "corner" not in name:
        assert geometry["type"] == "Polygon" and (bbox[0], bbox[2]) == (-180, 180)
    lon, lat = np.meshgrid(np.arange(-179.9, 180, 1.7), side * np.arange(65, 90, 0.17))
    move = Transformer.from_crs("EPSG:4326", grid.crs, always_xy=True).transform
    col, row = ~grid.transform @ move(lon, lat)
    expected = (col > 0) & (row > 0) & (col < 200) & (row < 200)
    assert (shapely.contains_xy(shape, lon, lat) != expected).sum() <= 2


@pytest.mark.parametrize(
    ("west", "width", "bbox", "kind"),
    [
        (200, 1, [-160, 59, -159, 60], "Polygon"),
        (-181, 2, [179, 59, -179, 60], "MultiPolygon"),
        (359, 2, [-1, 59, 1, 60], "Polygon"),
        (0, 360, [-180, 59, 180, 60], "Polygon"),
        (-180.5, 361, [-180, 59, 180, 60], "Polygon"),
        (170, 20, [170, 59, -170, 60], "MultiPolygon"),
    ],
)
def test_longitudes_are_written_from_minus_180_to_180(
    west: float, width: float, bbox: list[float], kind: str
) -> None:
    outline = outline_in_wgs84(Grid(LONLAT, Affine(width / 10, 0, west, 0, -0.1, 60), (10, 10)))
    assert outline is not None
    geometry, box = to_geojson(outline)
    assert box == pytest.approx(bbox, abs=1e-9) and geometry["type"] == kind
    shape = shapely.geometry.shape(geometry)
    assert shape.bounds[0] >= -180 and shape.bounds[2] <= 180
    assert shape.area == pytest.approx(min(width, 360), rel=1e-6)


def test_points_are_written_from_minus_180_to_180() -> None:
    boxes = [shapely.box(x, 10, x + 2, 12) for x in (199, -181.5, 9)]
    found = representative_points(boxes, LONLAT)
    assert [place and place[0] for place in found] == pytest.approx([-160, 179.5, 10])


def test_rows_beyond_the_poles_end_there() -> None:
    outline = outline_in_wgs84(Grid(LONLAT, Affine(1, 0, -180.5, 0, -1, 90.5), (181, 360)))
    assert outline is not None and bounds_of(outline) == (-180, -90, 180, 90)


def test_areas_of_nowhere_are_left_as_they_are() -> None:
    disk = CRS.from_proj4("+proj=geos +h=35785831 +lon_0=0 +ellps=WGS84")
    areas = np.array([shapely.box(6e6, 6e6, 7e6, 7e6)], dtype=object)
    assert not np.isfinite(to_wgs84(areas, disk)[0].bounds).any()
