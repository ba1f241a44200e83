"""Polygons drawn at 180 degrees and at a pole lie on the grid where they lie on the ground."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Transformer

from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.vector.files.polygon_reader import Burner, find_layer, read_outlines

FIJI = (179.0, -16.0, 181.0, -18.0)
HALVES = shapely.multipolygons([shapely.box(179, -18, 180, -16), shapely.box(-180, -18, -179, -16)])
"""FIJI as GeoJSON has it, cut at 180 degrees."""

GRIDS = {
    "degrees to 181": Grid(CRS.from_epsg(4326), Affine(0.02, 0, 178.5, 0, -0.02, -15), (200, 200)),
    "degrees from -181": Grid(
        CRS.from_epsg(4326), Affine(0.02, 0, -181.5, 0, -0.02, -15), (200, 200)
    ),
    "UTM 60": Grid(CRS.from_epsg(32760), Affine(2000, 0, 700_000, 0, -2000, 8_350_000), (200, 150)),
    "UTM 1": Grid(CRS.from_epsg(32701), Affine(2000, 0, 50_000, 0, -2000, 8_350_000), (200, 150)),
    "Mercator of the Pacific": Grid(
        CRS.from_epsg(3832), Affine(2000, 0, 3_150_000, 0, -2000, -1_700_000), (200, 200)
    ),
    "web Mercator over its end": Grid(
        CRS.from_epsg(3857), Affine(2000, 0, 19_850_000, 0, -2000, -1_700_000), (200, 200)
    ),
    "the world from -180": Grid(CRS.from_epsg(4326), Affine(1, 0, -180, 0, -1, 90), (180, 360)),
    "the world from 0": Grid(CRS.from_epsg(4326), Affine(1, 0, 0, 0, -1, 90), (180, 360)),
    "north pole": Grid(CRS.from_epsg(3413), Affine(20e3, 0, -2e6, 0, -20e3, 2e6), (200, 200)),
    "south pole": Grid(CRS.from_epsg(3031), Affine(20e3, 0, -2e6, 0, -20e3, 2e6), (200, 200)),
}


def lonlat_of(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Longitudes from -180 to 180, and latitudes, of the middles of all pixels."""
    rows, cols = np.indices(grid.shape) + 0.5
    move = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True).transform
    lon, lat = move(*(grid.transform @ (cols, rows)))
    return (lon + 180) % 360 - 180, lat


def burnt(
    tmp_path: Path, shape: shapely.Geometry, grid: Grid, crs: str = "EPSG:4326"
) -> np.ndarray:
    path = tmp_path / "drawn.gpkg"
    gpd.GeoDataFrame(geometry=[shape], crs=crs).to_file(path, layer="drawn")
    outlines = read_outlines(find_layer(path), grid)
    assert len(outlines) == 1 and shapely.is_valid(outlines).all()
    return Burner(outlines).burn(Window(0, 0, *grid.shape))


@pytest.mark.slow
@pytest.mark.parametrize("drawn", [shapely.box(*FIJI), HALVES, shapely.box(-181, -18, -179, -16)])
@pytest.mark.parametrize("name", [name for name in GRIDS if "pole" not in name])
def test_a_polygon_over_180_degrees(tmp_path: Path, name: str, drawn: shapely.Geometry) -> None:
    grid = GRIDS[name]
    lon, lat = lonlat_of(grid)
    expected = (np.abs(lon) > 179) & (lat > -18) & (lat < -16)
    assert expected.sum() > 3
    # Middles of pixels may lie on an edge but for rounding.
    assert (burnt(tmp_path, drawn, grid) != expected).sum() <= 3


CAPS = {
    "to the pole": (shapely.box(-180, 80, 180, 90), lambda lon, lat: lat > 80),
    "counted from 0": (shapely.box(0, 80, 360, 90), lambda lon, lat: lat > 80),
    "a ring": (shapely.box(-180, 75, 180, 85), lambda lon, lat: (lat > 75) & (lat < 85)),
    "a sector over 180": (
        shapely.box(150, 70, 210, 88),
        lambda lon, lat: (np.abs(lon) > 150) & (lat > 70) & (lat < 88),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("side", [1, -1], ids=["north", "south"])
@pytest.mark.parametrize("name", CAPS)
def test_polygons_in_degrees_round_a_pole(tmp_path: Path, name: str, side: int) -> None:
    grid = GRIDS["north pole" if side == 1 else "south pole"]
    shape, holds = CAPS[name]
    lon, lat = lonlat_of(grid)
    mirrored = shapely.transform(shape, lambda points: points * (1, side))
    assert (burnt(tmp_path, mirrored, grid) != holds(lon, lat * side)).sum() <= 3


@pytest.mark.parametrize("x", [-1e6, -3e5, 0], ids=["in it", "off its middle", "on its edge"])
def test_a_polygon_over_a_pole_on_a_grid_in_degrees(tmp_path: Path, x: float) -> None:
    grid = Grid(CRS.from_epsg(4326), Affine(0.5, 0, 0, 0, -0.25, 90), (120, 720))
    square = shapely.box(x, -1e6, 1e6, 1.1e6)
    lon, lat = lonlat_of(grid)
    move = Transformer.from_crs("EPSG:4326", "EPSG:3413", always_xy=True).transform
    expected = shapely.contains_xy(square, *move(lon, lat))
    found = burnt(tmp_path, square, grid, "EPSG:3413")
    assert (found != expected).sum() <= 3 and found[0].mean() == pytest.approx(expected[0].mean())


@pytest.mark.slow
def test_halves_are_one_outline(tmp_path: Path) -> None:
    path = tmp_path / "drawn.gpkg"
    gpd.GeoDataFrame(geometry=[HALVES], crs="EPSG:4326").to_file(path, layer="drawn")
    for name in ("degrees to 181", "UTM 60", "Mercator of the Pacific"):
        (outline,) = read_outlines(find_layer(path), GRIDS[name])
        assert outline.geom_type == "Polygon", name
