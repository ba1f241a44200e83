"""Where polygons lie, as a search through a catalogue asks for it."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from makers import LONLAT
from pyproj import CRS

from geochange.workflows.date_and_bounds import bounds_of


@pytest.mark.parametrize(
    ("crs", "box", "bounds"),
    [
        (LONLAT, (9, 45, 10, 46), (9, 45, 10, 46)),
        (LONLAT, (200, 45, 201, 46), (-160, 45, -159, 46)),
        (LONLAT, (-181, 45, -179, 46), (179, 45, -179, 46)),
        (CRS.from_epsg(3832), (3e6, 0, 4e6, 1e6), (176.94946, 0, -174.06739, 9.00588)),
        (CRS.from_epsg(3413), (-1e5, -1e5, 1e5, 1e5), (-180, 88.6946, 180, 90)),
    ],
)
def test_bounds_of_polygons_in_degrees(
    tmp_path: Path, crs: CRS, box: tuple[float, ...], bounds: tuple[float, ...]
) -> None:
    path = tmp_path / "drawn.gpkg"
    gpd.GeoDataFrame(geometry=[shapely.box(*box)], crs=crs).to_file(path)
    assert bounds_of(path) == pytest.approx(bounds, abs=2e-4)
