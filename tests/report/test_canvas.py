"""Drawings on images are in the right place, and a scale bar has a round length."""

from __future__ import annotations

import base64
import io

import geopandas as gpd
import numpy as np
import pytest
import shapely
from makers import NORTH_UP, UTM
from PIL import Image

from geochange.grid.grid import Grid, to_ground
from geochange.grid.tiling import Window
from geochange.qgis.style import CLASSES, Rgb
from geochange.report.canvas import (
    OVERSAMPLING,
    Overlay,
    as_data_uri,
    desaturate,
    resize_photo,
    round_length,
    scale_bar_of,
)
from geochange.report.run.change_drawing import (
    LEAST_PX,
    ChangeDrawing,
    _rings,
    shown_shape,
    window_around,
)

RED, BLUE = (200, 0, 0), (0, 0, 200)
GRID = Grid(UTM, NORTH_UP, (200, 300))


def ring(*corners: tuple[float, float]) -> np.ndarray:
    return np.array([*corners, corners[0]], float)


def over_white(overlay: Overlay) -> np.ndarray:
    rows, cols = overlay.shape
    return np.asarray(overlay.over(Image.new("RGB", (cols, rows), "white"))).astype(int)


def test_a_polygon_is_tinted_but_for_its_holes() -> None:
    overlay = Overlay((60, 80), [RED, BLUE])
    shell = ring((10, 10), (70, 10), (70, 50), (10, 50))
    hole = ring((30, 20), (50, 20), (50, 40), (30, 40))
    overlay.add([[shell, hole]], [1])
    seen = over_white(overlay)
    assert (seen[0, 0] == 255).all() and (seen[30, 40] == 255).all()
    np.testing.assert_allclose(seen[15, 15], [155, 155, 233], atol=2)
    assert seen[30, 10, 0] < 60 and seen[30, 10, 2] > 150


def test_an_outline_alone_leaves_the_ground_as_it_is() -> None:
    overlay = Overlay((60, 80), [RED], filled=False)
    overlay.add([[ring((10, 10), (70, 10), (70, 50), (10, 50))]], [0])
    seen = over_white(overlay)
    assert (seen[30, 40] == 255).all()
    assert seen[30, 10, 1] < 90


def test_specks_are_drawn_by_the_thousand() -> None:
    overlay = Overlay((60, 80), [RED, BLUE])
    overlay.add_specks(np.array([[20.0, 30.0], [60.4, 10.2]]), np.array([0, 1]))
    seen = over_white(overlay)
    assert tuple(seen[30, 20]) == RED and tuple(seen[10, 60]) == BLUE
    assert (seen == 255).all(axis=-1).sum() >= 60 * 80 - 4


@pytest.mark.parametrize("corner", [(0, 0), (21, 33), (48.5, 64.5)])
def test_a_drawing_is_shrunk_alike_wherever_it_lies(corner: tuple[float, float]) -> None:
    overlay = Overlay((61, 83), [RED], line_px=1)
    row, col = corner
    overlay.add([[ring((col, row), (col + 17, row + 3), (col + 8, row + 11))]], [0])
    whole = np.asarray(overlay.image.reduce(OVERSAMPLING))
    np.testing.assert_array_equal(np.asarray(overlay.drawn()), whole)
    assert whole[..., 3].any()


def test_nothing_drawn_is_transparent() -> None:
    assert not np.asarray(Overlay((6, 8), [RED]).drawn()).any()


def test_what_lies_outside_does_not_matter() -> None:
    overlay = Overlay((60, 80), [RED])
    overlay.add([[ring((-500, -500), (-400, -500), (-400, -400))]], [0])
    overlay.add([[ring((-10, 20), (1000, 20), (1000, 40), (-10, 40))]], [0])
    seen = over_white(overlay)
    assert (seen[5] == 255).all() and (seen[30, :, 1] < 200).all()


def test_polygons_on_the_ground_lie_on_their_pixels() -> None:
    window = Window(50, 100, 100, 100)
    sketcher = ChangeDrawing(GRID, window, (400, 400), line_px=1)
    house = to_ground(shapely.box(125, 75, 150, 100), GRID.transform)
    sketcher.add(gpd.GeoDataFrame({"confidence_mean": [0.95]}, geometry=[house], crs=UTM))
    seen = over_white(sketcher.overlay)
    rows, cols = np.nonzero(seen.sum(axis=-1) < 700)
    assert abs(rows.min() - 100) <= 3 and abs(rows.max() - 200) <= 3
    assert abs(cols.min() - 100) <= 3 and abs(cols.max() - 200) <= 3


@pytest.mark.parametrize(
    ("confidence", "colour"), [(0.65, CLASSES[1].color), (None, CLASSES[4].color)]
)
def test_a_calibrated_confidence_gives_the_colour(confidence: float | None, colour: Rgb) -> None:
    sketcher = ChangeDrawing(GRID, Window(0, 0, 50, 50), (50, 50), line_px=5)
    house = to_ground(shapely.box(10, 10, 40, 40), GRID.transform)
    sure = {"confidence": np.array([confidence], float), "confidence_mean": [0.95]}
    sketcher.add(gpd.GeoDataFrame(sure, geometry=[house], crs=UTM))
    assert tuple(np.asarray(sketcher.overlay.drawn())[25, 10, :3]) == colour


@pytest.mark.parametrize("corner", [(0, 0), (90, 140), (195, 290)])
def test_a_change_is_shown_with_what_lies_around_it(corner: tuple[int, int]) -> None:
    row, col = corner
    change = to_ground(shapely.box(col, row, col + 5, row + 5), GRID.transform)
    window = window_around(change, GRID)
    assert (window.height, window.width) == (LEAST_PX, LEAST_PX)
    assert window.intersection(GRID.full_window) == window
    assert window.row <= row and row + 5 <= window.row_stop
    assert window.col <= col and col + 5 <= window.col_stop


def test_a_change_as_large_as_all_is_shown_with_all() -> None:
    everything = GRID.footprint()
    assert window_around(everything, GRID) == GRID.full_window


def test_pictures_have_the_shape_of_the_ground() -> None:
    assert shown_shape(Window(0, 0, 200, 300), 600) == (400, 600)
    assert shown_shape(Window(0, 0, 10**6, 2), 600) == (600, 1)
    assert resize_photo(np.zeros((5, 7, 3), np.uint8), (50, 70)).size == (70, 50)
    assert desaturate(Image.new("RGB", (7, 5), (10, 90, 10))).size == (7, 5)


@pytest.mark.parametrize(("most", "round_one"), [(7, 5), (5, 5), (4.99, 2), (1, 1), (950, 500)])
def test_lengths_are_round(most: float, round_one: float) -> None:
    assert round_length(most) == pytest.approx(round_one)


def test_a_scale_says_how_long_it_is() -> None:
    scale = scale_bar_of(10_000)
    assert scale is not None and (scale.label, scale.share) == ("2 km", pytest.approx(0.2))
    assert scale_bar_of(0) is None and scale_bar_of(float("nan")) is None


def test_a_picture_travels_in_its_address() -> None:
    packed = as_data_uri(Image.new("RGB", (30, 20), RED))
    head, _, body = packed.uri.partition(",")
    assert head == "data:image/jpeg;base64" and (packed.width, packed.height) == (30, 20)
    with Image.open(io.BytesIO(base64.b64decode(body))) as picture:
        assert picture.size == (30, 20)


@pytest.mark.parametrize("quality", [82, 88, 95])
def test_ground_like_noise_is_embedded_too(quality: int) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    picture = as_data_uri(Image.fromarray(noise), quality)
    kind, _, text = picture.uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    with Image.open(io.BytesIO(base64.b64decode(text))) as read:
        assert read.size == (400, 300)
        read.load()


def test_the_rings_of_each_change_are_its_own() -> None:
    square, holed = shapely.box(0, 0, 1, 1), shapely.box(5, 5, 9, 9) - shapely.box(6, 6, 7, 7)
    changes = np.array([holed, shapely.MultiPolygon([square, holed]), shapely.Polygon(), square])
    for change, found in zip(changes, _rings(changes), strict=True):
        rings = [ring for part in shapely.get_parts(change) for ring in shapely.get_rings(part)]
        expected = [shapely.get_coordinates(ring) for ring in rings]
        assert [ring.tolist() for ring in found] == [ring.tolist() for ring in expected]
