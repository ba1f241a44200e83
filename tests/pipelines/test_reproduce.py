"""pipelines/reproduce.py: results of a data set beside the published ones; missing ones are named."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from chip_folders import built, make_chips
from makers import make_raster
from pipeline_runs import pipeline, pipeline_forked

pytestmark = pytest.mark.slow

TINY = [
    *("network.variant=tiny", "network.start=null", "prompts.mode=fixed", "augment.size=64"),
    *("optim.steps=2", "optim.warmup_steps=1", "optim.batch=2", "validation.every=2"),
    *("device.threads=1", "data.workers=0", "device.devices=1"),
]
SETTINGS = [word for setting in TINY for word in ("--set", setting)]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """SYSU-CD, and WHU-CD with its whole area."""
    root = tmp_path_factory.mktemp("sets")
    for name in ("SYSU-CD", "WHU-CD"):
        make_chips(root / name, {"train": 2, "val": 2, "test": 2})
    (root / "WHU-CD" / "whole").mkdir()
    for part, pixels in zip(("before", "after", "label"), built(256, 3), strict=True):
        make_raster(root / "WHU-CD" / "whole" / f"{part}.tif", pixels)
    return root


def table(out: Path) -> dict[str, dict[str, str]]:
    with (out / "table.csv").open() as file:
        return {row["set"]: row for row in csv.DictReader(file)}


def test_sets_are_trained_and_measured_and_gaps_are_said(data: Path, tmp_path: Path) -> None:
    words = ["--train", "--variant", "tiny", *SETTINGS, "--out", str(tmp_path)]
    done = pipeline_forked("reproduce", *words, CDPATH=str(data))
    assert done.returncode == 0, done.stderr
    rows = table(tmp_path)
    assert list(rows) == ["SYSU-CD", "LEVIR-CD", "LEVIR-CD+", "WHU-CD", "WHU-CD, whole", "CDD"]
    for name in ("SYSU-CD", "WHU-CD", "WHU-CD, whole"):
        for figure in ("IoU", "F1", "precision", "recall", "OA"):
            assert 0 <= float(rows[name][figure]) <= 1
    assert "missing: no " in rows["CDD"]["note"] and rows["CDD"]["IoU"] == ""
    assert rows["SYSU-CD"]["published IoU"] == "0.7141"
    assert "| SYSU-CD |" in done.stdout and "83.32" in (tmp_path / "table.md").read_text()
    weights = tmp_path / "weights"
    weights.mkdir()
    trained = tmp_path / "training" / "SYSU-CD" / "best.safetensors"
    shutil.copy(trained, weights / "SYSU-CD.safetensors")
    given = ["--checkpoints", str(weights), "--data", str(data), "--out", str(tmp_path / "again")]
    assert pipeline("reproduce", *given, "--quiet").returncode == 0
    again = table(tmp_path / "again")
    assert again["SYSU-CD"] == rows["SYSU-CD"]
    assert "no checkpoint" in again["WHU-CD"]["note"]


def test_what_fails_is_said_and_the_rest_go_on(data: Path, tmp_path: Path) -> None:
    (tmp_path / "SYSU-CD.pth").write_bytes(b"nothing")
    words = ["--checkpoints", str(tmp_path), "--data", str(data), "--out", str(tmp_path / "out")]
    done = pipeline("reproduce", *words, "--quiet")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "failed: " in table(tmp_path / "out")["SYSU-CD"]["note"]
    assert len(table(tmp_path / "out")) == 5


def test_a_folder_must_be_named(tmp_path: Path) -> None:
    done = pipeline("reproduce", "--out", str(tmp_path / "out"), "--data", str(tmp_path / "none"))
    assert done.returncode == 2 and "no such folder" in done.stderr
    assert done.stderr.count("\n") == 1 and not (tmp_path / "out").exists()
