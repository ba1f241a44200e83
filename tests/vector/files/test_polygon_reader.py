"""Polygons of any file and CRS give the same pixels, or one line with the error."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from affine import Affine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from makers import LONLAT, UTM
from polygon_files import DRIVERS, grid_of, make_polygons, square
from pyproj import CRS, Transformer

from geochange.errors import InputError
from geochange.grid.polygon_parts import polygonal_part
from geochange.grid.tiling import TilePlan, Window
from geochange.vector.files.polygon_reader import Burner, find_layer, read_outlines

SHAPE = (30, 40)
WHOLE = Window(0, 0, *SHAPE)
TRIANGLE = shapely.Polygon([(2.2, 3.1), (30.7, 5.3), (11.9, 27.4)])
HOLED = square(1, 20, 12).difference(square(4, 24, 3))


def pixels(path: Path) -> np.ndarray:
    return Burner(read_outlines(find_layer(path), grid_of(SHAPE))).burn(WHOLE)


def by_hand(*polygons: shapely.Geometry) -> np.ndarray:
    """Whether the centre of each pixel lies inside."""
    rows, cols = np.indices(SHAPE) + 0.5
    return np.logical_or.reduce([shapely.contains_xy(each, cols, rows) for each in polygons])


@pytest.mark.slow
@pytest.mark.parametrize("suffix", DRIVERS)
@pytest.mark.parametrize("crs", [UTM, LONLAT, CRS.from_epsg(3857)], ids=lambda crs: crs.name)
def test_any_format_and_crs(tmp_path: Path, suffix: str, crs: CRS) -> None:
    path = make_polygons(tmp_path / f"drawn{suffix}", [TRIANGLE, HOLED], crs)
    assert np.array_equal(pixels(path), by_hand(TRIANGLE, HOLED))


@pytest.mark.slow
def test_long_edges_bend_as_they_do_on_the_ground(tmp_path: Path) -> None:
    """Six degrees of a parallel are curved in UTM: straight lines would miss 10,986 pixels here."""
    frame = gpd.GeoDataFrame(geometry=[shapely.box(6, 44, 12, 45)], crs=LONLAT)
    frame.to_file(tmp_path / "drawn.gpkg")
    grid = grid_of((480, 960), transform=Affine(500, 0, 260_000, 0, -500, 5_080_000))
    burnt = Burner(read_outlines(find_layer(tmp_path / "drawn.gpkg"), grid)).burn(grid.full_window)
    rows, cols = np.indices(grid.shape) + 0.5
    x, y = grid.transform @ (cols, rows)
    lon, lat = Transformer.from_crs(UTM, LONLAT, always_xy=True).transform(x, y)
    truth = (lon > 6) & (lon < 12) & (lat > 44) & (lat < 45)
    assert truth.any() and not truth.all()
    assert (burnt != truth).sum() <= 8


def test_only_what_lies_on_the_grid_is_taken(tmp_path: Path) -> None:
    far = square(5_000, 5_000, 10)
    path = make_polygons(tmp_path / "drawn.gpkg", [square(2, 2, 3), far, square(-4, -4, 2)], LONLAT)
    assert len(read_outlines(find_layer(path), grid_of(SHAPE))) == 1


def test_a_polygon_round_the_world_covers_everything(tmp_path: Path) -> None:
    frame = gpd.GeoDataFrame(geometry=[shapely.box(-180, -90, 180, 90)], crs=LONLAT)
    frame.to_file(tmp_path / "drawn.gpkg")
    assert pixels(tmp_path / "drawn.gpkg").all()


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@example(corners=[(-1.5, 2.25), (33.0, 7.5), (12.5, 31.0)], tile=1)
@given(
    corners=st.lists(
        st.tuples(st.floats(-5, 45), st.floats(-5, 35)), min_size=3, max_size=3, unique=True
    ),
    tile=st.integers(4, 17),  # single pixels, of which there are a thousand, are tried once
)
def test_windows_show_what_the_whole_shows(corners: list[tuple[float, float]], tile: int) -> None:
    polygon = shapely.Polygon(corners)
    burner = Burner(np.array([polygon, square(3, 3, 7.5)], dtype=object))
    whole = burner.burn(WHOLE)
    for window in TilePlan(SHAPE, tile, 0, 1).output_windows():
        assert np.array_equal(burner.burn(window), whole[window.within(WHOLE)])


def test_rows_without_geometry_are_no_polygons(tmp_path: Path) -> None:
    path = make_polygons(tmp_path / "drawn.gpkg", [None, square(2, 2, 3), shapely.Polygon()])
    assert len(read_outlines(find_layer(path), grid_of(SHAPE))) == 1


def test_the_layer_of_changes_is_chosen(tmp_path: Path) -> None:
    path = tmp_path / "drawn.gpkg"
    make_polygons(path, [square(0, 0, 5)], layer="fields")
    make_polygons(path, [square(9, 9, 4)], layer="changes")
    pyogrio.write_dataframe(pd.DataFrame({"a": [1]}), path, layer="notes", driver="GPKG")
    assert np.array_equal(pixels(path), by_hand(square(9, 9, 4)))


BOW_TIE = shapely.Polygon([(2, 2), (9, 9), (9, 2), (2, 9)])


@pytest.mark.parametrize(
    ("polygons", "said"),
    [
        ([square(2, 2, 3), shapely.Point(3, 3)], "feature 2 is a Point"),
        ([shapely.LineString([(1, 1), (5, 5)])], "LineString"),
        ([square(9, 9, 4), BOW_TIE], "feature 2 is not a valid polygon (Self-intersection"),
    ],
)
def test_geometry_that_is_no_polygon(
    tmp_path: Path, polygons: list[shapely.Geometry], said: str
) -> None:
    path = make_polygons(tmp_path / "drawn.gpkg", polygons)
    with pytest.raises(InputError) as refused:
        pixels(path)
    assert said in str(refused.value) and str(path) in str(refused.value)


def test_a_ring_of_two_points(tmp_path: Path) -> None:
    ring = [[9.001, 45.152], [9.002, 45.153], [9.001, 45.152]]
    feature = {"type": "Feature", "properties": {}}
    feature["geometry"] = {"type": "Polygon", "coordinates": [ring]}
    path = tmp_path / "drawn.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}))
    with pytest.raises(InputError, match="not a valid polygon"):
        pixels(path)


def test_files_that_are_none(tmp_path: Path) -> None:
    for name, content in {
        "text.gpkg": b"no vector",
        "empty.geojson": b"",
        "cut.fgb": b"fgb",
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=r"not a vector file|the file is empty"):
            find_layer(tmp_path / name)
    with pytest.raises(InputError, match="no such file"):
        find_layer(tmp_path / "nowhere.gpkg")


def test_several_layers_without_a_name_we_know(tmp_path: Path) -> None:
    path = make_polygons(tmp_path / "drawn.gpkg", [square(0, 0, 5)], layer="fields")
    make_polygons(path, [square(0, 0, 5)], layer="roads")
    with pytest.raises(InputError, match="fields, roads"):
        find_layer(path)


def test_a_file_without_a_crs(tmp_path: Path) -> None:
    path = make_polygons(tmp_path / "drawn.shp", [square(0, 0, 5)], crs=None)
    with pytest.raises(InputError, match="has no CRS"):
        find_layer(path)


def test_areal_keeps_only_what_has_an_area() -> None:
    parts = [square(0, 0, 2), shapely.MultiPolygon([square(5, 5, 1)]), shapely.Point(3, 3)]
    assert polygonal_part(shapely.GeometryCollection(parts)).area == 5
    assert polygonal_part(shapely.LineString([(0, 0), (1, 1)])).is_empty
