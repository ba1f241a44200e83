"""In the real QGIS: the zip is installed, every algorithm runs, and a review by keys is in the file."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
from affine import Affine
from makers import make_raster, texture
from qgis_plugin_runs import PROCESS, WINDOW, environment, install_zip, lacking, python_here
from qgis_plugin_runs import qgis_process as process
from qgis_plugin_runs import qgis_window as window
from qgis_python import need_qgis, run_qgis_python

from geochange.vector.files.writers import read_changes, write_changes
from geochange.workflows.detect import detect

SCRIPT = Path(__file__).with_name("in_qgis.py")
PLUGINS = Path(__file__).parents[2] / "qgis_plugin"
PLACE = Affine(0.5, 0, 691_000, 0, -0.5, 5_335_000)

pytestmark = [pytest.mark.qgis, pytest.mark.slow]


@pytest.fixture(scope="module", autouse=True)
def _needs_qgis() -> None:
    need_qgis()


def make_pair(folder: Path) -> None:
    """Nine squares appear on a grey ground."""
    folder.mkdir()
    ground = texture(256)[..., :1]
    before = np.repeat(60 + 30 * (ground - ground.min()) / np.ptp(ground), 3, axis=2)
    before = before.astype(np.uint8)
    after = before.copy()
    for row in (20, 110, 200):
        for col in (20, 110, 200):
            after[row : row + 20 + col // 20, col : col + 20] = 220
    for name, pixels in (("before", before), ("after", after)):
        make_raster(folder / f"{name}.tif", pixels, transform=PLACE)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("plugin")
    make_pair(made / "pair")
    return made


@pytest.fixture(scope="module")
def variables(folder: Path) -> Iterator[dict[str, str]]:
    with python_here(folder) as python:
        yield environment(folder, install_zip(folder), python)


def outputs(done: Any) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    told = done.stdout[done.stdout.index("{") :]
    results: dict[str, Any] = json.loads(told)["results"]
    return results


@pytest.mark.skipif(bool(lacking(PROCESS)), reason=f"no {PROCESS}")
def test_every_algorithm_runs_by_qgis_process(folder: Path, variables: dict[str, str]) -> None:
    pair = [f"{name.upper()}={folder}/pair/{name}.tif" for name in ("before", "after")]
    made = folder / "process"
    made.mkdir()

    def run(name: str, *given: str) -> dict[str, Any]:
        return outputs(process(variables, "run", f"geochange:{name}", "--json", "--", *given))

    assert run("check", *pair)["WARNINGS"] >= 0
    extent = "EXTENT=691000,691064,5334872,5335000"
    half = run("detect", *pair, f"OUTPUT={made}/half.gpkg", "MODEL=cva", extent)
    found = run("detect", *pair, f"OUTPUT={made}/found.gpkg", "MODEL=cva")
    assert 0 < half["CHANGED_M2"] < found["CHANGED_M2"]
    again = run("polygonize", f"INPUT={found['PROBABILITY']}", f"OUTPUT={made}/again.geojson")
    assert again["POLYGONS"] == found["POLYGONS"]
    same = run("compare", f"FOUND={made}/found.gpkg", f"REFERENCE={made}/found.gpkg")
    assert same["F1"] == 1
    dated = [
        shutil.copy(folder / "pair" / f"{name}.tif", made / f"{day}.tif")
        for name, day in (("before", "2020-05-01"), ("after", "2021-05-01"))
    ]
    rasters = [f"RASTERS={file}" for file in dated]
    watch = run("monitor", *rasters, f"OUTPUT={made}/watch", "MODEL=cva")
    assert watch["COUNT"] == found["POLYGONS"] and Path(watch["CHANGES"]).is_file()
    demo = run("demo", "SIZE=512", f"OUTPUT={made}/demo")
    assert Path(demo["BEFORE"]).is_file() and Path(demo["CHANGES"]).is_file()
    steps = "optim.steps=1 optim.warmup_steps=1 validation.every=1"
    few = ["SIZE=64", f"SETTINGS={steps} augment.size=64 optim.batch=1 data.workers=0"]
    review = reviewed(made / "found.gpkg")
    learnt = run("learn", *pair, f"POLYGONS={review}", f"OUTPUT={made}/tuned", *few)
    assert Path(learnt["CHECKPOINT"]).is_file() and 0 <= learnt["F1_AFTER"] <= 1


def reviewed(file: Path) -> Path:
    """The same changes, the large ones accepted."""
    changes = read_changes(file)
    changes["status"] = np.where(changes.area_m2 > 100, "accept", "reject")
    assert (changes.status == "accept").sum() >= 2
    write_changes(changes, file.with_name("reviewed.gpkg"), {})
    return file.with_name("reviewed.gpkg")


@pytest.fixture(scope="module")
def seen(folder: Path, variables: dict[str, str]) -> dict[str, Any]:
    """What in_qgis.py saw; QGIS was killed at its end."""
    if lacks := lacking(*WINDOW):
        pytest.skip(f"no {lacks}")
    pair = [folder / "pair" / f"{name}.tif" for name in ("before", "after")]
    changes = detect(*pair, folder / "other.gpkg", model="cva").changes
    for name in ("geojson.geojson", "fgb.fgb"):
        write_changes(changes, folder / name, {})
    said = window({**variables, "GEOCHANGE_TEST": str(folder)}, SCRIPT)
    assert (folder / "seen.json").is_file(), said
    found: dict[str, Any] = json.loads((folder / "seen.json").read_text())
    assert "error" not in found, found["error"]
    return found


def test_a_canceled_run_goes_on(seen: dict[str, Any]) -> None:
    canceled, detected = seen["canceled"], seen["detected"]
    assert not canceled["written"] and canceled["work"]
    assert "It went on where an earlier run of the same had ended." in detected["said"]
    assert "ended; the same command goes on where it was" in canceled["said"]
    shares = detected["shares"]
    assert shares == sorted(shares) and shares[-1] == 100 and len(shares) > 2
    assert detected["result"]["POLYGONS"] > 3


def test_the_result_is_loaded_in_its_style(seen: dict[str, Any]) -> None:
    name, renderer, count = seen["loaded"]
    assert (name, renderer) == ("Changes", "graduatedSymbol")
    assert count == seen["detected"]["result"]["POLYGONS"]


def test_a_missing_or_broken_environment_is_told_with_its_cure(seen: dict[str, Any]) -> None:
    able, why = seen["/no/such/python"]
    assert not able and "no such file; name another one under" in why
    well, messages = seen["broken"]
    assert not well and len(messages) == 1
    assert "geochange ended with code 1" in messages[0] and "Diagnostics" in messages[0]


def test_what_keys_said_is_in_the_file_after_a_crash(seen: dict[str, Any], folder: Path) -> None:
    first, second, *_ = seen["order"]
    assert seen["counts"] == [1, 1]
    assert seen["went"] == [1, 2, 3, 2, 3, 2]
    rows = gpd.read_file(folder / "changes.gpkg", layer="changes", fid_as_index=True)
    status = rows.status.to_dict()
    assert (status.pop(first), status.pop(second)) == ("accept", "reject")
    assert set(status.values()) == {"unset"}  # the third was undone


def test_the_map_follows_and_shows_both_dates(seen: dict[str, Any]) -> None:
    assert seen["dates"] == [True, True] and seen["zoomed"] and seen["swiped"]
    assert seen["flicker"] == [True, False] and seen["hidden"] == [False, True]


def test_a_file_that_is_written_anew_is_reviewed_in_its_new_state(
    seen: dict[str, Any], folder: Path
) -> None:
    assert seen["anew"] == [0, seen["loaded"][2]]
    assert (gpd.read_file(folder / "again.gpkg", layer="changes").status == "accept").sum() == 1


def test_a_form_from_the_menu_runs_with_both_dates_guessed(seen: dict[str, Any]) -> None:
    assert seen["by_form"]
    assert seen["guessed"] == {"BEFORE": "before", "AFTER": "after"}


def test_the_plugin_can_be_loaded_again(seen: dict[str, Any]) -> None:
    assert seen["reloaded"] == [True, 1, True]


@pytest.mark.parametrize("name", ["geojson.geojson", "fgb.fgb"])
def test_other_formats_are_reviewed_in_a_copy(
    name: str, seen: dict[str, Any], folder: Path
) -> None:
    copies, source = seen["formats"][name]
    assert copies and Path(source) == folder / f"{Path(name).stem}_review.gpkg"
    assert sorted(gpd.read_file(source).status)[:2] == ["accept", "unset"]
    assert set(gpd.read_file(folder / name).status) == {"unset"}


CONFIDENCES = """
import sys
sys.path.insert(0, {plugins!r})
from qgis.core import QgsApplication, QgsFeature, QgsGeometry, QgsVectorLayer
application = QgsApplication([], False)
application.initQgis()
from geochange_plugin.review.layer import changes_of
fields = "&field=status:string&field=confidence_mean:double&field=confidence:double"
layer = QgsVectorLayer("Polygon?crs=EPSG:32632" + fields, "changes", "memory")
for sure in (0.6, None):
    feature = QgsFeature(layer.fields())
    feature.setGeometry(QgsGeometry.fromWkt("POLYGON((0 0, 1 0, 1 1, 0 0))"))
    feature.setAttributes(["unset", 0.9, sure])
    layer.dataProvider().addFeature(feature)
print([change.confidence for change in changes_of(layer)])
"""


def test_the_panel_takes_the_calibrated_confidence_before_the_mean() -> None:
    done = run_qgis_python("-c", CONFIDENCES.format(plugins=str(PLUGINS)))
    assert done.stdout.splitlines()[-1:] == ["[0.6, 0.9]"], done.stderr
