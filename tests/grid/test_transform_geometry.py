"""Areas in other CRSs: whole at 180 degrees and at the poles, their edges where they belong."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from makers import LONLAT, UTM
from pyproj import CRS, Transformer

from geochange.grid.transform_geometry import reproject, reproject_areas

ARCTIC = CRS.from_epsg(3413)


def moved(area: shapely.Geometry, source: CRS, target: CRS, fine: float) -> shapely.Geometry:
    return reproject_areas(np.array([area], dtype=object), source, target, fine)[0]


def test_reproject_there_and_back() -> None:
    box = shapely.box(500_000, 5_000_000, 501_000, 5_001_000)
    there = reproject(box, UTM, LONLAT)
    assert there.bounds == pytest.approx((9.0, 45.15, 9.013, 45.16), abs=0.01)
    assert shapely.equals_exact(reproject(there, LONLAT, UTM), box, tolerance=1e-6)


@pytest.mark.slow
def test_edges_bend_as_finely_as_is_asked() -> None:
    strip = shapely.box(0, 60, 10, 61)
    lambert = CRS.from_epsg(3034)
    lon = np.linspace(0, 10, 5001)
    x, y = Transformer.from_crs(LONLAT, lambert, always_xy=True).transform(lon, np.full(5001, 60.0))
    for fine in (1000.0, 1.0):
        outline = moved(strip, LONLAT, lambert, fine)
        off = shapely.distance(shapely.points(x, y), outline.exterior)
        assert off.max() < fine
    assert shapely.get_num_coordinates(outline) < 500


@pytest.mark.parametrize(
    "square",
    [
        shapely.box(-3e5, -2e5, 4e5, 5e5),
        shapely.box(0, -2e5, 4e5, 5e5),
        shapely.box(0, 0, 4e5, 5e5),
        shapely.box(1, 1, 4e5, 5e5),
        shapely.box(-4e5, -5e5, 0.001, 3e5),
        shapely.box(-3e5, -2e5, 4e5, 5e5).difference(shapely.box(-1e5, -1e5, 1e5, 2e5)),
        shapely.box(-3e5, -2e5, 4e5, 5e5).difference(shapely.box(0, -1e5, 1e5, 2e5)),
        shapely.multipolygons(
            [shapely.box(-3e5, 1e4, 3e5, 9e5), shapely.box(-3e5, -9e5, 3e5, -1e4)]
        ),
    ],
    ids=["in", "edge", "corner", "by it", "nearly", "hole", "hole's edge", "both sides"],
)
@pytest.mark.parametrize("turn", [0, 90, 217])
def test_areas_over_a_pole_hold_the_same_points_in_degrees(
    square: shapely.Geometry, turn: float
) -> None:
    area = shapely.affinity.rotate(square, turn, origin=(0, 0))
    outline = moved(area, ARCTIC, LONLAT, 1e-4)
    assert outline.is_valid
    lon, lat = np.meshgrid(np.arange(-179.9, 180, 1.7), np.append(np.arange(80, 89.9, 0.21), 89.97))
    x, y = Transformer.from_crs(LONLAT, ARCTIC, always_xy=True).transform(lon, lat)
    found = sum(
        shapely.contains_xy(outline, lon + shift, lat).astype(int) for shift in (-360, 0, 360)
    )
    assert found.max() == 1
    assert (found != shapely.contains_xy(area, x, y)).sum() <= 1


def test_an_area_without_an_image_is_infinite() -> None:
    disk = CRS.from_proj4("+proj=geos +h=35785831 +lon_0=0 +ellps=WGS84")
    behind = shapely.box(-171, -46, -170, -45)
    assert not np.isfinite(moved(behind, LONLAT, disk, 1.0).bounds).all()


def test_empty_areas_stay_empty() -> None:
    areas = np.array([shapely.Polygon(), shapely.box(8, 45, 9, 46)], dtype=object)
    empty, filled = reproject_areas(areas, LONLAT, UTM, 1.0)
    assert empty.is_empty and filled.area > 1e9
