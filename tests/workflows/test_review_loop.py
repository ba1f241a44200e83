"""The full cycle: run, accept and reject, cut chips, train from the model, run again."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pytest
from planted_network import write_planted
from reviewed_pairs import BRIEFLY, Place, make_pair, on_the_ground, set_status

from geochange.cli.main import _exit_code
from geochange.models.weights.checkpoint import read_checkpoint
from geochange.vector.files.writers import read_changes

pytestmark = pytest.mark.slow

CONFIG = Path(__file__).parents[2] / "configs" / "finetune.yaml"
ROOFS = [(20, 20, 24), (30, 150, 20), (150, 40, 26), (160, 190, 22), (210, 110, 20)]
PONDS = [(70, 90, 22), (90, 200, 24), (215, 30, 20), (120, 120, 18)]
SEEN = 0.4
"""The least share of a square that is found; the edge of a faint pond is not."""
SMALL = ["--tile", "64", "--overlap", "16", "--quiet"]


@dataclass(frozen=True)
class Circle:
    """The files after one cycle."""

    folder: Path
    parent: Path
    tuned: Path


def covered(changes: gpd.GeoDataFrame, place: Place) -> float:
    """The share of a square under polygons."""
    square = on_the_ground([place])
    return float(square.intersection(changes.union_all()).area / square.area)


def found(folder: Path, name: str, model: Path, out: str) -> gpd.GeoDataFrame:
    dates = [str(folder / name / date) for date in ("before.tif", "after.tif")]
    words = ["run", *dates, "--out", str(folder / out), "--model", str(model), *SMALL]
    assert _exit_code(words) == 0
    return read_changes(folder / out)


@pytest.fixture(scope="module")
def circle(tmp_path_factory: pytest.TempPathFactory) -> Circle:
    folder = tmp_path_factory.mktemp("circle")
    parent = write_planted(folder / "parent" / "best.safetensors")
    before, after = make_pair(folder / "here", 256, 3, ROOFS, PONDS)
    changes = found(folder, "here", parent, "changes.gpkg")
    assert len(changes) == len(ROOFS) + len(PONDS), "the parent calls both change"
    for place in (*ROOFS, *PONDS):
        assert covered(changes, place) > SEEN
    verdicts = {}
    for number, shape in zip(changes["id"], changes.geometry, strict=True):
        if shape.intersects(on_the_ground(ROOFS[1:])):
            verdicts[number] = "accept"
        elif shape.intersects(on_the_ground(PONDS[1:])):
            verdicts[number] = "reject"
    set_status(folder / "changes.gpkg", verdicts)
    pair = [str(before), str(after), str(folder / "changes.gpkg")]
    cut = ["data", "chips", *pair, "--out", str(folder / "reviewed"), "--size", "64"]
    assert _exit_code([*cut, "--reviewed", "--quiet"]) == 0
    tuned = folder / "tuned"
    learn = ["train", str(CONFIG), "--from", str(parent), "--data", str(folder / "reviewed")]
    small = [word for name, value in BRIEFLY.items() for word in ("--set", f"{name}={value}")]
    assert _exit_code([*learn, "--out", str(tuned), *small, "--quiet"]) == 0
    return Circle(folder, parent, tuned / "best.safetensors")


def test_the_false_alarm_is_gone_and_what_was_accepted_is_still_found(circle: Circle) -> None:
    changes = found(circle.folder, "here", circle.tuned, "again.gpkg")
    assert len(changes) == len(ROOFS)
    assert [place for place in ROOFS if covered(changes, place) < SEEN] == []
    assert [place for place in PONDS if covered(changes, place) > 0] == []


def test_it_holds_on_a_pair_that_nobody_has_reviewed(circle: Circle) -> None:
    roofs, ponds = [(40, 60, 24), (130, 170, 22), (190, 30, 20)], [(60, 180, 22), (120, 60, 20)]
    make_pair(circle.folder / "elsewhere", 256, 9, roofs, ponds)
    before = found(circle.folder, "elsewhere", circle.parent, "elsewhere-before.gpkg")
    after = found(circle.folder, "elsewhere", circle.tuned, "elsewhere-after.gpkg")
    assert (len(before), len(after)) == (5, 3)
    assert all(covered(before, place) > SEEN for place in (*roofs, *ponds))
    assert all(covered(after, place) > SEEN for place in roofs)
    assert all(covered(after, place) == 0 for place in ponds)


def test_the_tuned_model_is_what_its_parent_was(circle: Circle) -> None:
    """Prompts and class names are unchanged; four validation chips allow hardly any fit."""
    parent, tuned = (read_checkpoint(file).card for file in (circle.parent, circle.tuned))
    assert (tuned.prompts, tuned.vocabulary) == ("fixed", parent.vocabulary)
    assert tuned.options.visual == parent.options.visual
    assert abs(tuned.threshold - parent.threshold) < 0.15
    assert 0.5 < tuned.temperature / parent.temperature < 2
    assert tuned.provenance["start"] == str(circle.parent)


def test_a_start_must_be_named(
    circle: Circle, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", str(CONFIG), "--data", str(circle.folder / "reviewed")]
    assert _exit_code([*words, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "none is given: add --from MODEL" in said and said.count("\n") == 1
    assert not (tmp_path / "out").exists()
