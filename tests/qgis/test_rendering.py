"""QGIS opens the outputs, uses their default style and draws them.

Skipped only if QGIS is not installed. GEOCHANGE_QGIS_PYTHON names its Python if that is not
/usr/bin/python3.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from numpy.typing import NDArray
from PIL import Image
from pyproj import CRS
from qgis_python import need_qgis, run_qgis_python

from geochange.grid.probability_bytes import NODATA
from geochange.qgis.style import CLASSES, SHOWN_CONFIDENCE, probability_colormap
from geochange.raster.output.cog import write_cog
from geochange.vector.files.writers import COLUMNS, empty_changes, table_of, write_changes

SCRIPT = Path(__file__).with_name("qgis_render.py")
SIDE = 400
CRS_HERE = CRS.from_epsg(32632)
PLACE = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_200)
PROVENANCE = {"before": "before.tif", "model": "cva"}


@pytest.fixture(scope="module", autouse=True)
def _needs_qgis() -> None:
    need_qgis()


pytestmark = [pytest.mark.qgis, pytest.mark.slow]


def some_changes() -> gpd.GeoDataFrame:
    """A change of each class, and one far below all of them: round, square and with a hole."""
    ring = shapely.Point(500_055, 5_000_055).buffer(30) - shapely.Point(500_055, 5_000_055).buffer(
        14
    )
    shapes = [
        shapely.box(500_018, 5_000_130, 500_060, 5_000_180),
        shapely.box(500_078, 5_000_130, 500_120, 5_000_180),
        shapely.box(500_138, 5_000_130, 500_180, 5_000_180),
        ring,
        shapely.box(500_105, 5_000_025, 500_140, 5_000_085),
        shapely.box(500_155, 5_000_025, 500_180, 5_000_085),
    ]
    figures = ("area_m2", "perimeter_m", "confidence_max", "touches_edge")
    attributes = {
        **dict.fromkeys(figures, [0.0] * len(shapes)),
        "id": [1, 2, 3, 4, 5, 6],
        # The calibrated one decides the colour where it is not null.
        "confidence": [0.1, 0.61, None, 0.85, None, 1.0],
        "confidence_mean": [0.9, 0.9, 0.75, 0.7, 0.95, 0.8],
    }
    return table_of(attributes, shapes, CRS_HERE)


def probabilities() -> NDArray[np.uint8]:
    """Left to right from 0 to 100 %, with a corner of nodata."""
    pixels = np.tile(np.linspace(0, 254, SIDE).round().astype(np.uint8), (SIDE, 1))
    pixels[-80:, :80] = NODATA
    return pixels


def write_photo(path: Path) -> None:
    """Ground as in an aerial image: grass, a bright yard and dark wood, all with grain."""
    random = np.random.default_rng(0)
    ground = np.full((SIDE, SIDE, 3), (104, 116, 82), float)
    ground[:, 140:260] = (190, 184, 172)
    ground[:, 300:] = (46, 58, 40)
    ground += random.normal(0, 12, (SIDE, SIDE, 1))
    with rasterio.open(
        path, "w", driver="GTiff", height=SIDE, width=SIDE, count=3, dtype="uint8",
        crs=CRS_HERE, transform=PLACE, photometric="RGB",
    ) as raster:  # fmt: skip
        raster.write(np.moveaxis(ground.clip(0, 255).astype(np.uint8), 2, 0))


def open_in_qgis(folder: Path, changes: gpd.GeoDataFrame) -> dict[str, Any]:
    write_changes(changes, folder / "changes.gpkg", PROVENANCE)
    whole = [(0, 0, probabilities())]
    write_cog(whole, folder / "changes.tif", (SIDE, SIDE), CRS_HERE, PLACE, folder)
    write_photo(folder / "photo.tif")
    names = ("changes.gpkg", "changes.tif", "picture.png", "photo.tif")
    done = run_qgis_python(str(SCRIPT), *(str(folder / name) for name in names))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("qgis")


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    return open_in_qgis(folder, some_changes())


def test_polygons_are_styled_by_default(found: dict[str, Any]) -> None:
    assert found["vector"] == {
        "valid": True,
        "features": 6,
        "crs": "EPSG:32632",
        "fields": ["fid", *COLUMNS],
        "renderer": "graduatedSymbol",
        "attribute": SHOWN_CONFIDENCE,
        "classes": [band.label for band in CLASSES],
        "symbol_layers": [3] * len(CLASSES),
    }


def test_raster_has_its_colours_by_default(found: dict[str, Any]) -> None:
    raster = found["raster"]
    assert raster["valid"] and raster["crs"] == "EPSG:32632" and raster["nodata"] == NODATA
    assert raster["renderer"] == "paletted"
    wanted = {str(v): list(c) for v, c in probability_colormap().items() if v != NODATA}
    assert {v: c for v, c in raster["colors"].items() if v != str(NODATA)} == wanted


def test_run_is_a_table(found: dict[str, Any]) -> None:
    assert found["run"] == PROVENANCE


@pytest.mark.usefixtures("found")
def test_picture_shows_every_class(folder: Path) -> None:
    picture = np.asarray(Image.open(folder / "picture.png").convert("RGB")).astype(int)
    for band in CLASSES:
        line = (np.abs(picture - band.color).max(axis=2) <= 3).sum()
        assert line > 300, f"{band.label}: {line} pixels of its colour"


@pytest.mark.usefixtures("found")
def test_fills_are_translucent(folder: Path) -> None:
    """Inside a class 3 change on the dark wood: redder than the wood, darker than the colour."""
    picture = np.asarray(Image.open(folder / "picture.png").convert("RGB")).astype(int)
    inside = picture[140:260, 620:700].mean(axis=(0, 1))
    assert 46 + 30 < inside[0] < CLASSES[2].color[0] - 60
    assert inside[0] > inside[1] + 30


@pytest.mark.usefixtures("found")
def test_probability_is_drawn_in_its_ramp(folder: Path) -> None:
    drawn = np.asarray(Image.open(folder / "picture-probability.png").convert("RGB")).astype(int)
    colors, pixels = probability_colormap(), probabilities()
    for column in (0, 150, 250, 350, 399):
        wanted = colors[int(pixels[0, column])][:3]
        assert np.abs(drawn[100, 2 * column] - wanted).max() <= 6
    assert (drawn[-40, 40] == 255).all()  # nodata: the white canvas


def test_no_changes_open_too(tmp_path: Path) -> None:
    found = open_in_qgis(tmp_path, empty_changes(CRS_HERE))
    assert found["vector"]["valid"] and found["vector"]["features"] == 0
    assert found["vector"]["renderer"] == "graduatedSymbol"
