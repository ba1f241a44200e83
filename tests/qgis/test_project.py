"""QGIS opens the project in the GeoPackage: every layer valid, in order, in its colours."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
from affine import Affine
from makers import make_raster
from PIL import Image
from pyproj import CRS
from qgis_python import need_qgis, run_qgis_python

from geochange.qgis.style import CLASSES
from geochange.vector.files.writers import COLUMNS
from geochange.workflows.detect import detect

SCRIPT = Path(__file__).with_name("qgis_project.py")
PLACE = Affine(10, 0, 500_000, 0, -10, 5_000_000)
SIDE = 160

pytestmark = [pytest.mark.qgis, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _needs_qgis() -> None:
    need_qgis()


def make_pair(folder: Path) -> None:
    """16 bits of four bands, a name that XML must escape, a strip and a corner missing after."""
    rng = np.random.default_rng(0)
    before = rng.normal(1500, 60, (SIDE, SIDE, 4)) + np.linspace(0, 900, SIDE)[:, None, None]
    after = before + rng.normal(0, 30, before.shape)
    after[40:70, 30:60] += 2500
    after[100:130, 90:140] += 1800
    after[:, -20:] = after[:25, :25] = 0
    pictures = {"before <1> & 'é'.tif": before, "after.tif": after}
    for name, pixels in pictures.items():
        numbers = pixels.clip(0, 65535).astype(np.uint16)
        make_raster(folder / name, numbers, transform=PLACE, nodata=0)


def open_project(package: Path, picture: Path) -> dict[str, Any]:
    done = run_qgis_python(str(SCRIPT), str(package), str(picture))
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run's folder, moved to another place once the run has ended."""
    made = tmp_path_factory.mktemp("made")
    make_pair(made)
    first, second = made / "before <1> & 'é'.tif", made / "after.tif"
    detect(
        first,
        second,
        made / "changes.gpkg",
        bands="3,2,1",
        tile=64,
        overlap=16,
        threads=1,
        model="cva",
    )
    moved = tmp_path_factory.mktemp("moved") / "elsewhere"
    shutil.move(made, moved)
    return moved


@pytest.fixture(scope="module")
def found(folder: Path) -> dict[str, Any]:
    return open_project(folder / "changes.gpkg", folder / "picture.png")


def test_every_layer_is_valid_and_the_newest_on_top(found: dict[str, Any], folder: Path) -> None:
    assert found["opened"] and found["crs"] == "EPSG:32632"
    layers = {layer["name"]: layer for layer in found["layers"]}
    assert list(layers) == ["changes", "coverage", "probability", "after", "before"]
    assert [name for name in layers if not layers[name]["valid"]] == []
    assert {layer["crs"] for layer in found["layers"]} == {"EPSG:32632"}
    assert found["visible"] == ["changes", "coverage", "after", "before"]
    assert {name: layer["renderer"] for name, layer in layers.items()} == {
        "changes": "graduatedSymbol",
        "coverage": "singleSymbol",
        "probability": "singlebandpseudocolor",
        "after": "multibandcolor",
        "before": "multibandcolor",
    }
    assert all(str(folder) in layer["source"] for layer in found["layers"])


def test_it_opens_where_the_pictures_are(found: dict[str, Any]) -> None:
    west, south, east, north = found["extent"]
    size = SIDE * 10
    assert west < 500_000 and 500_000 + size < east < 500_000 + 1.2 * size
    assert north > 5_000_000 and 5_000_000 - 1.2 * size < south < 5_000_000 - size


def test_deep_pictures_are_stretched_in_the_bands_of_the_run(found: dict[str, Any]) -> None:
    for layer in found["layers"][3:]:
        low, high = layer["red"]
        assert layer["bands"] == [3, 2, 1]
        assert 1000 < low < 1600 and 2000 < high < 5500


def test_fields_have_names_and_the_status_a_list(found: dict[str, Any]) -> None:
    changes, coverage = found["layers"][:2]
    assert list(changes["aliases"]) == ["fid", *COLUMNS]
    assert all(changes["aliases"][name] for name in COLUMNS)
    assert coverage["aliases"]["area_m2"] == "Area (m²)"
    values = [{status: status} for status in ("unset", "accept", "reject")]
    assert changes["widget"] == ["ValueMap", {"map": values}]
    assert changes["default"] == "'unset'"


def test_styles_are_there_to_choose(found: dict[str, Any]) -> None:
    assert found["layers"][0]["style"] == "confidence"
    assert found["layers"][0]["styled"] == {
        "confidence": ["graduatedSymbol", []],
        "review": ["categorizedSymbol", ["unset", "accept", "reject", "other"]],
    }


@pytest.mark.usefixtures("found")
def test_the_picture_shows_ground_and_changes(folder: Path) -> None:
    picture = np.asarray(Image.open(folder / "picture.png").convert("RGB")).astype(int)
    dark = CLASSES[-1].color
    assert (np.abs(picture - dark).max(axis=2) <= 6).sum() > 300
    ground = picture[500:800, 100:300]
    assert 40 < ground.mean() < 220


def test_an_older_program_reads_it(folder: Path) -> None:
    """QGIS's GDAL is 3.6. It reads both layers, and no table of geochange disturbs it."""
    code = (
        "import sys; from osgeo import ogr; ogr.UseExceptions(); data = ogr.Open(sys.argv[1]); "
        "print(*[layer.GetName() for layer in data]); "
        "field = data.GetLayer('changes').GetLayerDefn(); "
        "field = field.GetFieldDefn(field.GetFieldIndex('status')); "
        "print(field.GetName(), field.GetDomainName())"
    )
    done = run_qgis_python("-c", code, str(folder / "changes.gpkg"))
    assert done.stderr == ""
    names, status = done.stdout.splitlines()
    assert set(names.split()) == {"changes", "coverage", "geochange_run", "layer_styles"}
    assert status == "status status"


def test_the_file_is_a_valid_geopackage(folder: Path) -> None:
    listed = dict(pyogrio.list_layers(folder / "changes.gpkg").tolist())
    assert (listed["changes"], listed["coverage"]) == ("Polygon", "Polygon")
    with closing(sqlite3.connect(folder / "changes.gpkg")) as database:

        def ask(sql: str) -> list[Any]:
            return database.execute(sql).fetchall()

        assert ask("PRAGMA integrity_check") == [("ok",)]
        assert ask("PRAGMA foreign_key_check") == []
        contents = dict(ask("SELECT table_name, data_type FROM gpkg_contents"))
        assert contents == {
            "changes": "features",
            "coverage": "features",
            "geochange_run": "attributes",
            "layer_styles": "attributes",
        }
        ((name, told, content),) = ask("SELECT name, metadata, content FROM qgis_projects")
        assert name == "changes" and set(json.loads(told)) == {
            "last_modified_time",
            "last_modified_user",
        }
        assert bytes.fromhex(content)[:2] == b"PK"


def test_dates_on_other_grids_open_too(tmp_path: Path) -> None:
    """Each date has its own CRS and one band, and is in another folder than the polygons."""
    pictures, out = tmp_path / "pictures", tmp_path / "out"
    pictures.mkdir()
    out.mkdir()
    ground = np.random.default_rng(1).normal(0.3, 0.05, (SIDE, SIDE)).astype(np.float32)
    make_raster(pictures / "before.tif", ground, transform=PLACE)
    lonlat = Affine(0.0001, 0, 9.0, 0, -0.0001, 45.153)
    make_raster(pictures / "after.tif", ground, crs=CRS.from_epsg(4326), transform=lonlat)
    detect(
        pictures / "before.tif",
        pictures / "after.tif",
        out / "changes.gpkg",
        threads=1,
        model="cva",
    )
    found = open_project(out / "changes.gpkg", out / "picture.png")
    assert found["opened"] and all(layer["valid"] for layer in found["layers"])
    assert [layer["crs"] for layer in found["layers"][3:]] == ["EPSG:4326", "EPSG:32632"]
    assert [layer["renderer"] for layer in found["layers"][3:]] == ["singlebandgray"] * 2
