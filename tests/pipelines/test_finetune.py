"""pipelines/finetune.py: from a reviewed pair to a better model and its gain."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pipeline_runs import pipeline, pipeline_forked
from planted_network import write_planted
from reviewed_pairs import BRIEFLY, make_pair, on_the_ground, set_status

import geochange

pytestmark = pytest.mark.slow

ROOFS = [(20, 20, 24), (30, 150, 20), (150, 40, 26), (160, 190, 22), (220, 100, 20)]
PONDS = [(70, 90, 22), (90, 200, 24), (215, 30, 20), (200, 140, 22)]
"""The last one lies among three roofs, where the validation chips are cut."""
SMALL = ["--size", "64", *(w for k, v in BRIEFLY.items() for w in ("--set", f"{k}={v}"))]
FORGET = ["--set", "optim.weight_decay=1000", "--set", "optim.steps=1"]
"""Rate times decay is 1, so one step removes almost all of every weight."""


@pytest.fixture(scope="module")
def reviewed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the initial model, a reviewed pair and another pair."""
    folder = tmp_path_factory.mktemp("finetune")
    parent = write_planted(folder / "parent" / "best.safetensors")
    before, after = make_pair(folder / "here", 256, 3, ROOFS, PONDS)
    options = {"model": str(parent), "tile": 64, "overlap": 16}
    changes = geochange.detect(before, after, folder / "changes.gpkg", **options).changes
    roofs = changes.intersects(on_the_ground(ROOFS))
    verdicts = {
        n: "accept" if roof else "reject" for n, roof in zip(changes.id, roofs, strict=True)
    }
    set_status(folder / "changes.gpkg", verdicts)
    make_pair(folder / "new", 256, 9, [(40, 60, 24)], [(60, 180, 22)])
    return folder


def words(folder: Path, out: str, *more: str) -> list[str]:
    pair = [f"{folder}/here/before.tif", f"{folder}/here/after.tif", f"{folder}/changes.gpkg"]
    parent = f"{folder}/parent/best.safetensors"
    return [*pair, "--reviewed", "--from", parent, "--out", f"{folder}/{out}", *SMALL, *more]


def table(figures: dict[str, dict[str, float]]) -> list[str]:
    """Rows of the table of gains: before, after and their difference."""
    rows = []
    for name in ("f1", "iou", "precision", "recall"):
        before, after = figures["before"][name], figures["after"][name]
        rows.append(f"{before:>8.3f}{after:>8.3f}{after - before:>+8.3f}")
    return rows


def test_tuning_gains_and_says_so(reviewed: Path) -> None:
    new = ("--new", f"{reviewed}/new/before.tif", f"{reviewed}/new/after.tif")
    done = pipeline_forked("finetune", *words(reviewed, "tuned", *new))
    assert done.returncode == 0, done.stderr
    figures = json.loads((reviewed / "tuned" / "gain.json").read_text())
    # The initial model calls a pond change, and tuning removes it: half of the change, and no roof.
    assert figures["before"]["precision"] < 0.7 < 0.9 < figures["after"]["precision"]
    assert figures["after"]["f1"] > figures["before"]["f1"]
    assert all(row in done.stdout for row in table(figures))
    assert (reviewed / "tuned" / "training" / "best.safetensors").is_file()
    found = geochange.load_model(str(reviewed / "tuned" / "training" / "best.safetensors"))
    assert 0.3 < found.threshold < 0.7
    assert (reviewed / "tuned" / "changes.gpkg").is_file() and "1 polygon, " in done.stdout
    again = pipeline("finetune", *words(reviewed, "tuned", "--quiet"))
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


def test_a_tuning_that_loses_is_said_and_not_used(reviewed: Path) -> None:
    new = ("--new", f"{reviewed}/new/before.tif", f"{reviewed}/new/after.tif")
    done = pipeline("finetune", *words(reviewed, "lost", *FORGET, *new))
    assert done.returncode == 0, done.stderr
    figures = json.loads((reviewed / "lost" / "gain.json").read_text())
    assert figures["after"]["f1"] < figures["before"]["f1"]
    assert "tuning lost F1; the new pair was worked by" in done.stderr.splitlines()[-1]
    record = geochange.read_changes(reviewed / "lost" / "changes.gpkg")
    assert len(record) == 2  # the initial model finds roof and pond


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"here/before.tif": "nowhere.tif"}, "no such file"),
        ({"changes.gpkg": "nowhere.gpkg"}, "nowhere.gpkg"),
        ({"parent/best.safetensors": "nowhere.safetensors"}, "no weights at"),
        ({"device.threads=1": "device.thread=1"}, "no option device.thread"),
    ],
)
def test_refusals_are_one_line(
    change: dict[str, str], said: str, reviewed: Path, tmp_path: Path
) -> None:
    given = words(reviewed, "refused")
    for old, new in change.items():
        given = [word.replace(old, new) for word in given]
    given[given.index("--out") + 1] = str(tmp_path / "out")
    done = pipeline("finetune", *given)
    assert done.returncode == 2
    assert said in done.stderr.splitlines()[-1] and "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "training").exists()
