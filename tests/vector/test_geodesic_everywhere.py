"""Areas and perimeters against an equal-area CRS and geodesics: poles, 180 degrees, holes, far zones."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Geod, Transformer

from geochange.grid.grid import Grid
from geochange.vector.geodesic import geodesic_measures

SIDE = 200
SHAPE = (SIDE, SIDE)
RING = shapely.Polygon(
    [(40, 40), (160, 40), (160, 160), (40, 160)], [[(80, 80), (80, 120), (120, 120), (120, 80)]]
)
BLOCK = shapely.box(20, 30, 90, 70)

GRIDS = {
    # name: (CRS, x and y of the upper left corner, pixel)
    "UTM": ("EPSG:32633", 500_000, 5_200_000, 10),
    "a zone beside its own": ("EPSG:32633", 1_000_000, 5_200_000, 10),
    "UTM across the antimeridian": ("EPSG:32660", 840_000, 6_660_000, 200),
    "degrees": ("EPSG:4326", 10, 50, 0.01),
    "degrees at 180": ("EPSG:4326", 179, 60, 0.01),
    "degrees beyond 180": ("EPSG:4326", 200, 60, 0.01),
    "degrees at -180": ("EPSG:4326", -181, 60, 0.01),
    "web mercator": ("EPSG:3857", 1_000_000, 8_000_000, 500),
    "web mercator at its edge": ("EPSG:3857", 20_037_508 - 50_000, 8_000_000, 500),
    "the pole in the hole": ("EPSG:3413", -100_000, 100_000, 1000),
    "the pole in the ring": ("EPSG:3413", -60_000, 100_000, 1000),
    "the south pole in the hole": ("EPSG:3031", -100_000, 100_000, 1000),
    "the south pole on an edge": ("EPSG:3031", -40_000, 100_000, 1000),
    "UPS": ("EPSG:32661", 2_000_000 - 100_000, 2_000_000 + 100_000, 1000),
    "LAEA of the pole": ("EPSG:3575", -100_000, 100_000, 1000),
    "Albers": ("EPSG:5070", -500_000, 1_500_000, 1000),
    "sinusoidal": ("ESRI:54008", 10_000_000, 4_000_000, 1000),
}


def grid_of(name: str) -> Grid:
    crs, x, y, pixel = GRIDS[name]
    return Grid(CRS.from_user_input(crs), Affine(pixel, 0, x, 0, -pixel, y), SHAPE)


def by_other_means(polygon: shapely.Polygon, grid: Grid) -> tuple[float, float]:
    """Area in an equal-area CRS around the polygon, and the sum of geodesics along its edges."""
    fine = shapely.segmentize(polygon, 0.1)
    to_lonlat = Transformer.from_crs(grid.crs, grid.crs.geodetic_crs, always_xy=True)

    def moved(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return to_lonlat.transform(*(grid.transform @ (x, y)))

    lon, lat = moved(np.array([polygon.centroid.x]), np.array([polygon.centroid.y]))
    equal = CRS.from_proj4(f"+proj=laea +lat_0={lat[0]} +lon_0={lon[0]} +ellps=WGS84")
    to_equal = Transformer.from_crs("EPSG:4326", equal, always_xy=True)
    flat = shapely.transform(fine, lambda x, y: to_equal.transform(*moved(x, y)), interleaved=False)
    geod = Geod(ellps="WGS84")
    rings = [fine.exterior, *fine.interiors]
    lengths = (geod.line_length(*moved(*map(np.array, ring.coords.xy))) for ring in rings)
    return flat.area, sum(lengths)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [RING, BLOCK], ids=["ring", "block"])
@pytest.mark.parametrize("name", GRIDS)
def test_areas_and_perimeters_are_those_of_other_means(name: str, shape: shapely.Polygon) -> None:
    grid = grid_of(name)
    area_m2, perimeter_m = geodesic_measures(np.array([shape]), grid)
    area, perimeter = by_other_means(shape, grid)
    assert area_m2[0] == pytest.approx(area, rel=1e-4)
    assert perimeter_m[0] == pytest.approx(perimeter, rel=1e-4)


def test_the_same_ground_has_the_same_area_however_its_longitudes_are_counted() -> None:
    areas = []
    for west in (200.0, -160.0):
        grid = Grid(CRS.from_epsg(4326), Affine(0.01, 0, west, 0, -0.01, 60), SHAPE)
        areas.append(geodesic_measures(np.array([RING]), grid)[0][0])
    assert areas[0] == pytest.approx(areas[1], rel=1e-12)
