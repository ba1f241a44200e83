"""The grid for comparing two files: that of the run, or square metres around both."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from makers import LONLAT, NORTH_UP, UTM
from polygon_files import make_polygons, square

from geochange.errors import InputError, OptionError
from geochange.vector.comparison_grid import grid_of_run, metric_grid
from geochange.vector.files.polygon_reader import find_layer, read_outlines
from geochange.vector.files.writers import empty_changes, write_changes
from geochange.vector.geodesic import geodesic_measures

TOLD = {
    "crs": UTM.to_string(),
    "transform": json.dumps(list(NORTH_UP)[:6]),
    "shape": json.dumps((20, 30)),
}


def written(path: Path, **told: str) -> Path:
    write_changes(empty_changes(UTM), path, {**TOLD, **told, "before": "before.tif"})
    return path


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb"])
def test_the_grid_of_a_run(tmp_path: Path, suffix: str) -> None:
    grid = grid_of_run(written(tmp_path / f"changes{suffix}"))
    assert grid is not None
    assert (grid.crs, grid.transform, grid.shape) == (UTM, NORTH_UP, (20, 30))


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".fgb"])
def test_other_files_tell_of_none(tmp_path: Path, suffix: str) -> None:
    assert grid_of_run(make_polygons(tmp_path / f"drawn{suffix}", [square(0, 0, 5)])) is None


@pytest.mark.parametrize(
    "told",
    [
        {"crs": "EPSG:0"},
        {"transform": "[1, 2]"},
        {"transform": "[0, 0, 0, 0, 0, 0]"},
        {"shape": "[20]"},
        {"shape": "[0, 30]"},
        {"shape": "[9000000, 9000000]"},
        {"shape": "many"},
    ],
)
def test_a_damaged_table(tmp_path: Path, told: dict[str, str]) -> None:
    with pytest.raises(InputError, match="geochange_run"):
        grid_of_run(written(tmp_path / "changes.gpkg", **told))


@pytest.mark.slow
def test_metric_pixels_cover_both_files(tmp_path: Path) -> None:
    layers = [
        find_layer(make_polygons(tmp_path / "a.gpkg", [square(0, 0, 20)], LONLAT)),
        find_layer(make_polygons(tmp_path / "b.gpkg", [square(70, 90, 10)])),
    ]
    grid = metric_grid(layers, 4.0)
    pixel = np.array([shapely.box(0, 0, 1, 1)], dtype=object)
    assert geodesic_measures(pixel, grid)[0] == pytest.approx(16, rel=1e-6)
    height, width = grid.shape
    assert 200 <= height <= 203 and 250 <= width <= 253
    for layer, area_px in zip(layers, (200**2 / 16, 100**2 / 16), strict=True):
        (outline,) = read_outlines(layer, grid)
        assert shapely.box(0, 0, width, height).contains(outline)
        assert outline.area == pytest.approx(area_px, rel=1e-3)


def test_metric_pixels_of_nothing(tmp_path: Path) -> None:
    layer = find_layer(make_polygons(tmp_path / "a.gpkg", []))
    assert metric_grid([layer, layer], 1.0).shape == (1, 1)


def test_too_many_pixels(tmp_path: Path) -> None:
    far = [square(0, 0, 5), square(90_000, 30_000, 5)]
    layer = find_layer(make_polygons(tmp_path / "a.gpkg", far))
    with pytest.raises(OptionError, match="too many"):
        metric_grid([layer], 0.1)


@pytest.mark.parametrize("wests", [(200, -160), (179.9, -180.1), (-180.1, 179.9)])
def test_metric_pixels_where_longitudes_are_counted_otherwise(
    tmp_path: Path, wests: tuple[float, float]
) -> None:
    layers = []
    for name, west in zip("ab", wests, strict=True):
        box = shapely.box(west, 60, west + 0.2, 60.1)
        gpd.GeoDataFrame(geometry=[box], crs=LONLAT).to_file(tmp_path / f"{name}.gpkg")
        layers.append(find_layer(tmp_path / f"{name}.gpkg"))
    grid = metric_grid(layers, 50.0)
    assert max(grid.shape) < 300
    one, other = (read_outlines(layer, grid)[0] for layer in layers)
    assert shapely.intersection(one, other).area == pytest.approx(one.area, rel=1e-6)
