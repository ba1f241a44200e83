"""Grids that lie outside of their CRS are told, those at the rim of a map and at its ends are not."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from geochange.grid.area_of_use import explain_outside, is_far_from_area_of_use
from geochange.grid.grid import Grid

GEOS = "+proj=geos +h=35785831 +lon_0=0 +sweep=y +ellps=WGS84"
ROTATED_POLE = "+proj=ob_tran +o_proj=longlat +o_lon_p=0 +o_lat_p=39.25 +lon_0=18 +ellps=WGS84"
LARGE = (2000, 2000)

RIGHT = {
    # name: (CRS, x and y of the upper left corner, pixel, shape)
    "UTM": ("EPSG:32633", 500_000, 5_200_000, 1, (256, 256)),
    "UTM far from its zone": ("EPSG:32633", 2_500_000, 6_000_000, 10, (256, 256)),
    "UTM at the equator": ("EPSG:32633", 0, 0, 10, LARGE),
    "degrees": ("EPSG:4326", 10, 50, 0.01, LARGE),
    "degrees over 180": ("EPSG:4326", 179, 60, 0.001, LARGE),
    "degrees at 200": ("EPSG:4326", 200, 60, 0.001, LARGE),
    "degrees at -181": ("EPSG:4326", -181, 60, 0.001, LARGE),
    "degrees at 350 to 370": ("EPSG:4326", 350, 60, 0.01, LARGE),
    "the world": ("EPSG:4326", -180, 90, 1, (180, 360)),
    "the world by the middles of pixels": ("EPSG:4326", -0.5, 90.5, 1, (181, 360)),
    "a coarse climate model": ("EPSG:4326", -180, 90, 5, (36, 72)),
    "a rotated pole": (ROTATED_POLE, -20, 20, 0.1, (400, 400)),
    "web Mercator": ("EPSG:3857", -20_037_508.34, 20_037_508.34, 156_543, (256, 256)),
    "web Mercator over its end": ("EPSG:3857", 20_000_000, 8_000_000, 500, (200, 200)),
    "Mercator of the Pacific": ("EPSG:3832", 3_000_000, 8_000_000, 500, LARGE),
    "north pole": ("EPSG:3413", -4_000_000, 4_000_000, 4000, LARGE),
    "south pole": ("EPSG:3031", -4_000_000, 4_000_000, 4000, LARGE),
    "UPS": ("EPSG:32661", 0, 4_000_000, 2000, LARGE),
    "Mollweide, the world": ("ESRI:54009", -18_040_096, 9_020_048, 20_000, (903, 1805)),
    "sinusoidal, a tile at the rim": ("ESRI:54008", 18_900_000, 2_223_901, 926, (1200, 1200)),
    "the disk of a satellite": (GEOS, -5_570_248, 5_570_248, 3000, (3712, 3712)),
    "a strip of its rim": (GEOS, -5_570_248, 5_570_248, 3000, (464, 3712)),
    "feet": ("EPSG:2263", 1_000_000, 200_000, 1, (256, 256)),
    "grads": ("EPSG:4807", 2, 52, 0.001, (256, 256)),
    "one pixel": ("EPSG:32633", 500_000, 5_200_000, 1, (1, 1)),
}

WRONG = {
    "pixels of 1,000 km": ("EPSG:32633", 500_000, 5_200_000, 1e6, (256, 256)),
    "one pixel of 1,000 km": ("EPSG:32633", 500_000, 5_200_000, 1e6, (1, 1)),
    "pixels of 1,000 km at a pole": ("EPSG:3031", 0, 0, 1e6, (4, 4)),
    "pixels of 1e12 m": ("EPSG:32633", 500_000, 5_200_000, 1e12, (256, 256)),
    "pixels of 100 km": ("EPSG:32633", 500_000, 5_200_000, 1e5, (256, 256)),
    "a northing of 1e9": ("EPSG:32633", 500_000, 1e9, 1, (256, 256)),
    "an easting of 1e8": ("EPSG:32633", 1e8, 5_200_000, 1, (256, 256)),
    "metres called degrees": ("EPSG:4326", 500_000, 5_200_000, 1, (256, 256)),
    "latitudes of 120": ("EPSG:4326", 10, 120, 0.01, LARGE),
    "latitudes over 90 by two pixels": ("EPSG:4326", 10, 92, 1, (20, 20)),
    "longitudes of 900": ("EPSG:4326", 900, 50, 0.01, (256, 256)),
    "twice round the Earth": ("EPSG:4326", -360, 90, 1, (180, 720)),
    "web Mercator beyond its world": ("EPSG:3857", 3e7, 5e6, 100, (256, 256)),
    "web Mercator far up": ("EPSG:3857", 0, 1e9, 100, (256, 256)),
    "web Mercator up to 1e8": ("EPSG:3857", 0, 1e8, 100, (256, 256)),
    "the other pole, without end": ("EPSG:3031", 1e9, 1e9, 100, (256, 256)),
    "an equal-area map beyond its rim": ("EPSG:3035", 3e7, 3e7, 100, (256, 256)),
    "Mollweide beyond the world": ("ESRI:54009", -30e6, 30e6, 20_000, (3000, 3000)),
    "1e300": ("EPSG:32633", 1e300, 1e300, 1, (256, 256)),
}


def grid_of(place: tuple[str, float, float, float, tuple[int, int]]) -> Grid:
    crs, x, y, pixel, shape = place
    return Grid(CRS.from_user_input(crs), Affine(pixel, 0, x, 0, -pixel, y), shape)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", RIGHT)
def test_places_that_are_right(name: str) -> None:
    grid = grid_of(RIGHT[name])
    assert explain_outside(grid) is None
    turned = Grid(grid.crs, grid.transform @ Affine.rotation(1e-3), grid.shape)
    assert explain_outside(turned) is None


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", WRONG)
def test_places_that_are_not(name: str) -> None:
    why = explain_outside(grid_of(WRONG[name]))
    assert why is not None and "\n" not in why and "nan" not in why


def test_only_what_is_far_from_its_use_is_worth_a_word() -> None:
    far = ("EPSG:32633", 5_000_000, 5_200_000, 10, (256, 256))
    assert is_far_from_area_of_use(grid_of(far))
    told = [name for name in RIGHT if is_far_from_area_of_use(grid_of(RIGHT[name]))]
    assert told == ["UTM far from its zone"]
    assert explain_outside(grid_of(far)) is None
    assert np.isfinite(grid_of(far).pixel_size).all()
