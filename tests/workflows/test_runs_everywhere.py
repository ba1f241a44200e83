"""Whole runs at 180 degrees and over a pole: what is found, measured and written lies where it is."""

from __future__ import annotations

import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from makers import make_raster
from pyproj import CRS, Transformer

from geochange import detect, read_changes
from geochange.dataset.labels import open_labels
from geochange.grid.grid import Grid, to_ground
from geochange.workflows.compare import compare
from geochange.workflows.preview import preview

pytestmark = pytest.mark.slow

SIZE = 128
BOX = (40, 40, 90, 90)
"""Left, top, right and bottom of what changed, in pixels."""

DEGREES = {
    # name: west of before and of after; both show the same ground
    "over 180": (179.99, 179.99 - 360),
    "over -180": (179.99 - 360, 179.99),
    "200 and -160": (200.0, -160.0),
    "-160 and 200": (-160.0, 200.0),
}


def pictures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    before = rng.integers(60, 120, (SIZE, SIZE, 3)).astype(np.uint8)
    after = before.copy()
    left, top, right, bottom = BOX
    after[top:bottom, left:right] = 230
    return before, after


def make_pair(folder: Path, crs: CRS, *corners: Affine) -> list[Path]:
    names = ("before.tif", "after.tif")
    made = zip(names, pictures(), corners, strict=True)
    return [make_raster(folder / name, pixels, crs, corner) for name, pixels, corner in made]


def east_of(west: float) -> Affine:
    return Affine(2e-4, 0, west, 0, -1e-4, 60)


@pytest.fixture(scope="module", params=DEGREES)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run in degrees."""
    folder = tmp_path_factory.mktemp("run")
    corners = map(east_of, DEGREES[request.param])
    pair = make_pair(folder, CRS.from_epsg(4326), *corners)
    # The ground of the pair, in the count of longitudes that is not that of the grid.
    ground = to_ground(shapely.box(20, 20, 70, 128), east_of(DEGREES[request.param][1]))
    gpd.GeoDataFrame(geometry=[ground], crs="EPSG:4326").to_file(folder / "aoi.gpkg")
    detect(*pair, folder / "out.geojson", model="cva", min_area=0, simplify=0)
    detect(
        *pair,
        folder / "part.gpkg",
        model="cva",
        min_area=0,
        simplify=0,
        aoi=str(folder / "aoi.gpkg"),
    )
    return folder


def place_of(folder: Path) -> Affine:
    """Of the grid, from -180 on."""
    west = 179.99 if json.loads((folder / "out.stac.json").read_text())["bbox"][0] > 0 else -160.0
    return east_of(west)


def test_the_change_is_found_and_written_by_rfc_7946(run: Path) -> None:
    item = json.loads((run / "out.stac.json").read_text())
    west = place_of(run).c
    east = west + SIZE * 2e-4
    assert item["bbox"] == pytest.approx(
        [west, 60 - SIZE * 1e-4, east - 360 if east > 180 else east, 60], abs=1e-7
    )
    changes = read_changes(run / "out.geojson")
    assert changes.area_m2.max() > 0.9 * changes.area_m2.sum()
    found = changes.geometry[changes.area_m2.idxmax()]
    lon = shapely.get_coordinates(found)[:, 0]
    assert np.abs(lon).max() <= 180
    whole = shapely.transform(found, lambda p: np.column_stack([p[:, 0] % 360, p[:, 1]]))
    expected = to_ground(shapely.box(*BOX), place_of(run))
    expected = shapely.transform(expected, lambda p: np.column_stack([p[:, 0] % 360, p[:, 1]]))
    shared = shapely.intersection(whole.buffer(0), expected).area
    assert shared / shapely.union(whole.buffer(0), expected).area > 0.9


def test_an_area_in_the_other_count_limits_the_run(run: Path) -> None:
    whole, part = read_changes(run / "out.geojson"), read_changes(run / "part.gpkg")
    left, _, right, _ = BOX
    share = (70 - left) / (right - left)
    assert part.area_m2.sum() == pytest.approx(share * whole.area_m2.sum(), rel=0.1)


def test_a_reference_in_the_other_count_agrees(run: Path, tmp_path: Path) -> None:
    found = compare(run / "part.gpkg", run / "out.geojson", within=run / "aoi.gpkg")
    figures = found.pixels.figures()
    assert figures["iou"] > 0.97 and found.left_out["reference"] == 0
    assert found.objects[0.5]["all"].figures()["f1"] == 1


def test_a_preview_shows_changes_that_are_cut(run: Path, tmp_path: Path) -> None:
    number = int(read_changes(run / "out.geojson").sort_values("area_m2").id.iloc[-1])
    rasters = (run / "before.tif", run / "after.tif")
    seen = preview(run / "out.geojson", tmp_path / "a.png", number=number, rasters=rasters)
    assert seen.stat().st_size > 10_000


@pytest.mark.parametrize("name", DEGREES)
def test_labels_in_the_other_count(tmp_path: Path, name: str) -> None:
    here, there = (east_of(west) for west in DEGREES[name])
    drawn = np.zeros((SIZE, SIZE), np.uint8)
    drawn[40:90, 40:90] = 1
    grid = Grid(CRS.from_epsg(4326), here, (SIZE, SIZE))
    raster = make_raster(tmp_path / "l.tif", drawn, grid.crs, there)
    finer = there @ Affine.scale(0.5)
    fine = make_raster(
        tmp_path / "f.tif", np.kron(drawn, np.ones((2, 2), np.uint8)), grid.crs, finer
    )
    gpd.GeoDataFrame(geometry=[to_ground(shapely.box(*BOX), there)], crs=grid.crs).to_file(
        tmp_path / "l.gpkg"
    )
    for path in (raster, fine, tmp_path / "l.gpkg"):
        with open_labels(path, grid).reader() as read:
            np.testing.assert_array_equal(read(grid.full_window), drawn, str(path))


@pytest.mark.parametrize(("code", "north"), [(3413, 1), (3031, -1)])
def test_a_change_round_a_pole(tmp_path: Path, code: int, north: int) -> None:
    crs = CRS.from_epsg(code)
    corner = Affine(1000, 0, -65_000, 0, -1000, 65_000)
    lonlat = gpd.GeoDataFrame(
        geometry=[
            shapely.box(-180, min(89.5 * north, 90 * north), 180, max(89.5 * north, 90 * north))
        ],
        crs="EPSG:4326",
    )
    lonlat.to_file(tmp_path / "aoi.gpkg")
    pair = make_pair(tmp_path, crs, corner, corner)
    out = tmp_path / "out.geojson"
    detect(*pair, out, model="cva", min_area=0, simplify=0, aoi=str(tmp_path / "aoi.gpkg"))
    item = json.loads((tmp_path / "out.stac.json").read_text())
    assert item["bbox"][::2] == [-180, 180] and item["bbox"][3 if north == 1 else 1] == 90 * north
    found = read_changes(out)
    change = found.loc[found.area_m2.idxmax()]
    lon, lat = np.meshgrid(np.arange(-179, 180, 3), north * np.arange(89.6, 90, 0.02))
    col, row = ~corner @ Transformer.from_crs(4326, crs, always_xy=True).transform(lon, lat)
    left, top, right, bottom = BOX
    expected = (col > left) & (col < right) & (row > top) & (row < bottom)
    inside = shapely.contains_xy(change.geometry, lon, lat)
    assert (inside ^ expected).mean() < 0.02 and inside[-1].all()
