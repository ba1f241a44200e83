"""Square metres on the ellipsoid, whatever the CRS, against closed forms and known map scales."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from affine import Affine
from makers import LONLAT, UTM
from pyproj import CRS, Proj, Transformer

from geochange.grid.grid import Grid
from geochange.vector.geodesic import geodesic_measures

WGS84_A, WGS84_F = 6_378_137.0, 1 / 298.257223563


def zone_area(lat_deg: float) -> float:
    """Area of the ellipsoid from the equator to a latitude, for one radian of longitude."""
    b2, e = (WGS84_A * (1 - WGS84_F)) ** 2, math.sqrt(WGS84_F * (2 - WGS84_F))
    s = math.sin(math.radians(lat_deg))
    return b2 / 2 * (s / (1 - (e * s) ** 2) + math.atanh(e * s) / e)


def metres_per_radian(lat_deg: float) -> tuple[float, float]:
    """To the north and to the east."""
    e2, lat = WGS84_F * (2 - WGS84_F), math.radians(lat_deg)
    bend = 1 - e2 * math.sin(lat) ** 2
    return WGS84_A * (1 - e2) / bend**1.5, WGS84_A * math.cos(lat) / math.sqrt(bend)


def measured(crs: CRS, transform: Affine, polygon: shapely.Polygon) -> tuple[float, float]:
    area, perimeter = geodesic_measures(
        np.array([polygon], object), Grid(crs, transform, (100, 100))
    )
    return float(area[0]), float(perimeter[0])


PIXEL = shapely.box(0, 0, 1, 1)
TEN = shapely.box(10, 20, 20, 30)


@pytest.mark.parametrize("lat", [0, 60, -33, 89.9])
def test_a_pixel_of_degrees_has_the_area_of_its_zone(lat: float) -> None:
    size = 1e-3
    area, perimeter = measured(LONLAT, Affine(size, 0, 9, 0, -size, lat + size), PIXEL)
    expected = (zone_area(lat + size) - zone_area(lat)) * math.radians(size)
    assert area == pytest.approx(expected, rel=1e-6)
    north, east = metres_per_radian(lat + size / 2)
    assert perimeter == pytest.approx(2 * math.radians(size) * (north + east), rel=1e-5)


FOOT_US = 1200 / 3937


@pytest.mark.parametrize(
    ("crs", "origin", "pixel", "square_metres"),
    [
        (UTM, (500_000, 5_000_000), 10.0, 1e4),
        (UTM, (250_000, 5_000_000), 10.0, 1e4),
        (CRS.from_epsg(32733), (500_000, 6_000_000), 0.5, 25),
        (CRS.from_epsg(2263), (990_000, 200_000), 3.0, 900 * FOOT_US**2),
        (CRS.from_epsg(27572), (600_000, 2_200_000), 5.0, 2500),
        (CRS.from_epsg(32601), (166_300, 100_000), 10.0, 1e4),
    ],
    ids=["utm", "utm off centre", "south", "US feet", "Lambert in grads", "date line"],
)
def test_the_map_scale_is_taken_out(
    crs: CRS, origin: tuple[float, float], pixel: float, square_metres: float
) -> None:
    transform = Affine(pixel, 0, origin[0], 0, -pixel, origin[1])
    area, _ = measured(crs, transform, TEN)
    lon, lat = Transformer.from_crs(crs, crs.geodetic_crs, always_xy=True).transform(
        *(transform @ (15, 25))
    )
    if "grad" in crs.geodetic_crs.axis_info[0].unit_name:
        lon, lat = lon * 0.9 + 2.33722917, lat * 0.9
    scale = Proj(crs).get_factors(lon, lat).areal_scale
    assert area == pytest.approx(square_metres / scale, rel=2e-6)


def test_ten_metres_at_the_centre_of_a_zone_by_hand() -> None:
    area, perimeter = measured(UTM, Affine(10, 0, 499_995, 0, -10, 5_000_000), PIXEL)
    assert area == pytest.approx(100 / 0.9996**2, rel=1e-7)
    assert perimeter == pytest.approx(40 / 0.9996, rel=1e-7)


def test_web_mercator_is_no_area() -> None:
    x, y = 1_000_000, 8_000_000
    area, _ = measured(CRS.from_epsg(3857), Affine(10, 0, x, 0, -10, y), PIXEL)
    lat = math.degrees(math.atan(math.sinh((y - 5) / WGS84_A)))
    north, east = metres_per_radian(lat)
    side = 10 / WGS84_A
    assert area == pytest.approx(side**2 * math.cos(math.radians(lat)) * north * east, rel=1e-6)


def test_round_the_pole() -> None:
    around = Affine(1000, 0, -50_000, 0, -1000, 50_000)
    area, _ = measured(CRS.from_epsg(3031), around, shapely.box(0, 0, 100, 100))
    assert area == pytest.approx(1e10 / Proj("EPSG:3031").get_factors(0, -90).areal_scale, rel=1e-4)


@pytest.mark.parametrize("flip", [Affine.identity(), Affine.scale(1, -1), Affine.rotation(30)])
def test_a_hole_counts_for_the_perimeter_and_not_for_the_area(flip: Affine) -> None:
    holed = shapely.box(0, 0, 9, 9) - shapely.box(3, 3, 5, 6)
    transform = Affine(10, 0, 500_000, 0, -10, 5_000_000) @ flip
    area, perimeter = measured(UTM, transform, holed)
    assert area == pytest.approx((81 - 6) * 100 / 0.9996**2, rel=1e-6)
    assert perimeter == pytest.approx((36 + 10) * 10 / 0.9996, rel=1e-6)


def test_a_long_edge_follows_the_map_and_not_the_geodesic() -> None:
    """Along a parallel of 60 degrees the geodesic would bulge by kilometres."""
    area, _ = measured(LONLAT, Affine(0.01, 0, 0, 0, -0.01, 60), shapely.box(0, 0, 2000, 1))
    expected = (zone_area(60) - zone_area(59.99)) * math.radians(20)
    assert area == pytest.approx(expected, rel=1e-4)


def test_none_is_none() -> None:
    area, perimeter = geodesic_measures(np.empty(0, object), Grid(UTM, Affine.identity(), (1, 1)))
    assert area.shape == perimeter.shape == (0,)


def test_the_order_of_polygons_is_kept() -> None:
    boxes = np.array([shapely.box(0, 0, n, 1) for n in (3, 1, 2)], object)
    area, _ = geodesic_measures(boxes, Grid(UTM, Affine(10, 0, 500_000, 0, -10, 5e6), (1, 1)))
    np.testing.assert_allclose(area / area[1], [3, 1, 2], rtol=1e-6)
