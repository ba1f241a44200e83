"""Odd names in every option that takes a file: a file of exactly that name is used."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from label_files import MASK, TIFFS
from makers import NORTH_UP, make_raster, noise
from polygon_files import make_polygons, square

import geochange
from geochange.config import CheckOptions
from geochange.dataset.labelled_pairs import Reviewed, open_scene
from geochange.dataset.labels import open_labels
from geochange.grid.tiling import Window
from geochange.inputs.open_pair import open_pair
from geochange.workflows.compare import compare

pytestmark = pytest.mark.slow

SHAPE = (96, 96)
STEMS = (
    *("a#b", "a.json#b", "a + b", "a*b", "a?b", "a[1]", "a!b", "a.zip!b", "a;b", "a:b", "zip:a"),
    *("GTI:a", "http:a", "~a", " a", "a%20b", "ä", "a'b", "-a"),
)
FOLDERS = ("items", "a + b", "a[1]", "a#b", "a!b", "a.json")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pair, labels as a raster and as polygons, and a reviewed file, with plain names."""
    folder = tmp_path_factory.mktemp("plain")
    for seed, name in enumerate(("before", "after")):
        make_raster(folder / f"{name}.tif", noise((*SHAPE, 3), seed))
    label = np.zeros(SHAPE, np.uint8)
    label[8:20, 8:20] = 1
    make_raster(folder / "labels.tif", label)
    make_polygons(folder / "drawn.gpkg", [square(8, 8, 12)])
    make_polygons(folder / "drawn.geojson", [square(8, 8, 12)])
    make_polygons(folder / "reviewed.gpkg", [square(8, 8, 12)], columns={"status": ["accept"]})
    return folder


def use_all(place: Path, start: str, name: str) -> None:
    """Give every option a file; `name` is a pattern for its stem."""

    def file(stem: str) -> str:
        return start + name.format(stem)

    pair, area = open_pair(
        file("before.tif"),
        file("after.tif"),
        CheckOptions(grid=file("labels.tif"), aoi=file("drawn.gpkg")),
    )
    assert pair.before.info.path == str(place / name.format("before.tif"))
    assert area is not None and area.window == Window(0, 0, 12, 12)
    whole = Window(0, 0, *SHAPE)
    grid = open_pair(file("before.tif"), file("after.tif"), CheckOptions())[0].grid
    for labels in ("labels.tif", "drawn.gpkg", "drawn.geojson"):
        with open_labels(file(labels), grid).reader() as read:
            assert (read(whole) == 1).sum() == 144
    scene = open_scene(file("before.tif"), file("after.tif"), Reviewed(file("reviewed.gpkg")))
    assert scene.labels.path == place / name.format("reviewed.gpkg")
    found = compare(
        Path(file("drawn.gpkg")),
        Path(file("drawn.geojson")),
        extent=file("labels.tif"),
        within=Path(file("drawn.gpkg")),
    )
    assert found.pixels.figures()["iou"] == 1
    assert geochange.date_of(file("before.tif")) is None
    assert len(geochange.bounds_of(file("drawn.gpkg"))) == 4


@pytest.mark.parametrize("is_relative", [True, False], ids=["relative", "absolute"])
@pytest.mark.parametrize("stem", STEMS)
def test_every_option_takes_a_file_of_an_odd_name(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stem: str, is_relative: bool
) -> None:
    for path in plain.iterdir():
        shutil.copy(path, tmp_path / f"{stem}{path.name}")
    monkeypatch.chdir(tmp_path)
    use_all(tmp_path, "" if is_relative else f"{tmp_path}/", f"{stem}{{}}")


@pytest.mark.parametrize("is_relative", [True, False], ids=["relative", "absolute"])
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_option_takes_a_file_in_a_folder_of_an_odd_name(
    plain: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, is_relative: bool
) -> None:
    shutil.copytree(plain, tmp_path / folder)
    monkeypatch.chdir(tmp_path)
    start = f"{folder}/" if is_relative else f"{tmp_path / folder}/"
    use_all(tmp_path / folder, start, "{}")


def test_every_option_takes_a_file_in_an_archive(plain: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for path in plain.iterdir():
            archive.write(path, f"in/{path.name}")
    start = f"/vsizip/{tmp_path}/all.zip/in/"
    pair, area = open_pair(
        f"{start}before.tif",
        f"zip://{tmp_path}/all.zip!in/after.tif",
        CheckOptions(grid=f"{start}labels.tif", aoi=f"zip://{tmp_path}/all.zip!in/drawn.gpkg"),
    )
    assert area is not None
    assert pair.grid.transform == NORTH_UP @ Affine.translation(8, 8)
    for labels in ("labels.tif", "drawn.gpkg", "drawn.geojson"):
        for name in (f"{start}{labels}", f"zip://{tmp_path}/all.zip!in/{labels}"):
            with open_labels(name, pair.grid).reader() as read:
                assert (read(pair.grid.full_window) == 1).sum() == 144


def test_a_grid_may_be_that_of_a_palette(plain: Path, tmp_path: Path) -> None:
    """As labels often are, also in an archive."""
    TIFFS["palette green"](tmp_path / "labels.tif")
    with zipfile.ZipFile(tmp_path / "labels.zip", "w") as archive:
        archive.write(tmp_path / "labels.tif", "labels.tif")
    pair, _ = open_pair(
        plain / "before.tif", plain / "after.tif", CheckOptions(grid=str(tmp_path / "labels.zip"))
    )
    assert pair.grid.shape == MASK.shape
    drawn = plain / "drawn.gpkg"
    found = compare(drawn, drawn, extent=tmp_path / "labels.tif")
    assert found.grid.shape == MASK.shape


def test_a_run_its_preview_and_its_chips_bear_an_odd_name(plain: Path, tmp_path: Path) -> None:
    place = tmp_path / "items" / "a + b[1]#c"
    shutil.copytree(plain, place)
    before, after = str(place / "before.tif"), str(place / "after.tif")
    result = geochange.detect(
        before, after, tmp_path / "o.gpkg", model="cva", aoi=str(place / "drawn.gpkg")
    )
    assert result.out == tmp_path / "o.gpkg"
    links = json.loads((tmp_path / "o.stac.json").read_text())["links"]
    assert {Path(file).as_uri() for file in (before, after)} <= {link["href"] for link in links}
    shutil.copy(tmp_path / "o.tif", place / "o + p.tif")
    again = geochange.polygonize(place / "o + p.tif", tmp_path / "again.gpkg")
    assert again.polygons == result.polygons
    chips = geochange.cut(before, after, place / "labels.tif", tmp_path / "chips", size=32, block=1)
    assert sum(split.changed_px for split in chips.splits.values()) > 0
