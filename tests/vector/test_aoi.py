"""An area of interest: the same pixels for every window, and only nearby corners per window."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from makers import LONLAT, NORTH_UP, UTM
from rasterio.features import rasterize

from geochange.errors import InputError
from geochange.grid.grid import Grid, to_ground
from geochange.grid.tiling import TilePlan, Window
from geochange.vector.aoi import PIECE_POINTS, PIECE_PX, AreaOfInterest, read_aoi

GRID = Grid(UTM, NORTH_UP, (400, 600))


def coast(
    points: int, middle: tuple[float, float] = (300, 200), radius: float = 150
) -> shapely.Polygon:
    """An irregular outline in pixels."""
    rng = np.random.default_rng(0)
    angle = np.linspace(0, 2 * np.pi, points, endpoint=False)
    length = radius + rng.uniform(-20, 20, points)
    x, y = middle[0] + length * np.cos(angle), middle[1] + length * np.sin(angle)
    return shapely.make_valid(shapely.Polygon(np.column_stack([x, y])))


def write(path: Path, *shapes: shapely.Geometry, crs: object = UTM) -> Path:
    placed = [to_ground(shape, NORTH_UP) for shape in shapes]
    table = gpd.GeoDataFrame(geometry=placed, crs=UTM)
    (table.to_crs(crs) if crs is not None else table.set_crs(None, allow_override=True)).to_file(
        path
    )
    return path


@pytest.mark.slow
@pytest.mark.parametrize("points", [5, 20_000])
def test_every_window_sees_the_same_pixels(tmp_path: Path, points: int) -> None:
    outline = coast(points)
    area = read_aoi(write(tmp_path / "area.gpkg", outline), GRID)
    expected = rasterize([outline], GRID.shape).astype(bool)
    whole = area.mask(GRID.full_window)
    assert (whole != expected).mean() < 1e-4  # corners were reprojected for the file and back
    for tile, overlap in ((64, 0), (37, 9)):
        plan = TilePlan(GRID.shape, tile, overlap, 1)
        for window in plan.output_windows():
            here = whole[window.within(GRID.full_window)]
            np.testing.assert_array_equal(area.mask(window), here)
            assert area.touches(window) or not here.any()


@pytest.mark.slow
def test_a_coast_is_cut_into_small_pieces(tmp_path: Path) -> None:
    area = read_aoi(write(tmp_path / "area.gpkg", coast(20_000)), GRID)
    points = shapely.get_num_coordinates(area.pieces)
    left, top, right, bottom = shapely.bounds(area.pieces).T
    small = np.maximum(right - left, bottom - top) <= PIECE_PX
    assert ((points <= PIECE_POINTS) | small).all()


def test_any_crs_and_any_number_of_polygons(tmp_path: Path) -> None:
    shapes = coast(30), shapely.box(500.2, 300.2, 590.6, 390.1)
    plain = read_aoi(write(tmp_path / "a.gpkg", *shapes), GRID)
    turned = read_aoi(write(tmp_path / "b.geojson", *shapes, crs=LONLAT), GRID)
    first, second = plain.mask(GRID.full_window), turned.mask(GRID.full_window)
    assert first.sum() > 50_000
    assert (first != second).mean() < 1e-3


def test_it_travels_and_moves(tmp_path: Path) -> None:
    area = read_aoi(write(tmp_path / "a.gpkg", coast(300)), GRID)
    again = AreaOfInterest.from_bytes(area.to_bytes())
    assert again.digest == area.digest
    window = area.window
    assert Window(40, 140, 300, 300).intersection(window) is not None
    moved = again.moved(-window.row, -window.col)
    assert moved.digest != area.digest
    assert (moved.window.row, moved.window.col) == (0, 0)
    np.testing.assert_array_equal(
        moved.mask(Window(0, 0, window.height, window.width)), area.mask(window)
    )


def test_what_it_only_borders_may_be_touched_and_what_is_apart_is_not() -> None:
    area = AreaOfInterest(np.array([shapely.box(10, 10, 20, 20)], dtype=object))
    windows = [Window(0, 0, 5, 5), Window(12, 12, 2, 2), Window(0, 0, 40, 40), Window(25, 0, 5, 40)]
    assert area.touched(windows).tolist() == [False, True, True, False]
    assert area.touched([]).tolist() == []


def points_file(tmp_path: Path) -> Path:
    return write(tmp_path / "points.gpkg", shapely.Point(5, 5))


def far_file(tmp_path: Path) -> Path:
    return write(tmp_path / "far.gpkg", coast(9, (9000, 9000)))


def no_crs_file(tmp_path: Path) -> Path:
    return write(tmp_path / "nowhere.gpkg", coast(9), crs=None)


def empty_file(tmp_path: Path) -> Path:
    gpd.GeoDataFrame(geometry=gpd.GeoSeries([], crs=UTM)).to_file(tmp_path / "empty.gpkg")
    return tmp_path / "empty.gpkg"


def speck_file(tmp_path: Path) -> Path:
    return write(tmp_path / "speck.gpkg", shapely.box(5.1, 5.1, 5.4, 5.4))


def raster_file(tmp_path: Path) -> Path:
    (tmp_path / "area.gpkg").write_text("nothing of the kind")
    return tmp_path / "area.gpkg"


@pytest.mark.filterwarnings("ignore:'crs' was not provided")
@pytest.mark.parametrize(
    ("make", "said"),
    [
        (points_file, "not a polygon"),
        (far_file, "none of its polygons lies on the common ground"),
        (no_crs_file, "has no CRS"),
        (empty_file, "holds no"),
        (speck_file, "less than a pixel"),
        (raster_file, "not a vector file"),
    ],
)
def test_refusals(tmp_path: Path, make: object, said: str) -> None:
    assert callable(make)
    with pytest.raises(InputError, match=said) as refused:
        read_aoi(make(tmp_path), GRID)
    assert "\n" not in str(refused.value)
