"""Every command of the README and the pages runs on small data, in the order of its page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from chip_folders import make_chips
from click.testing import CliRunner
from doc_pages import PAGES, ROOT, commands_of, pipeline_command, words_of
from onnx_files import Siamese, export
from planted_network import write_planted
from reviewed_pairs import make_pair, on_the_ground, set_status
from unlabelled_pictures import FEW, make_pictures

import geochange
from geochange.cli.main import cli

pytestmark = pytest.mark.slow

NOT_HERE = {
    "geochange demo": "minutes; tests/cli/test_main.py makes a smaller one",
    "python3 -m venv": ".ci/run installs in a fresh clone and runs the tests by it",
    "--on gpus": "no GPU; tests/pipelines/test_cluster.py stands in for dask-cuda",
    "--on slurm": "tests/pipelines/test_slurm.py starts a SLURM, and runs the script of the page",
    "--on tcp://": "no such host; tests/running/test_workers.py starts a scheduler",
    "s3://": "no bucket; tests/workflows/test_object_storage.py starts a server of one",
    "--model ratio": "pictures in 8 bits are no radar; tests/workflows/test_radar.py makes some",
    "runs/bands/": "no such chips; tests/workflows/test_band_training.py makes some",
    "runs/classes/": "no such chips; tests/workflows/test_semantic.py makes some",
    "--data CHIPS": "no such chips; tests/workflows/test_band_training.py makes some",
    ".SAFE": "no such product; tests/raster/sources/test_resolve.py makes one",
    "https://": "no such catalogue; tests/pipelines/test_monitor.py serves one of its own",
    "torchrun": "one machine; tests/workflows/test_train.py starts two processes",
    "land.alone=true": "no ImageNet weights; tests/trainer/test_land_cover_pretraining.py makes its own",
    "weights calibrate": "takes a network of the step before; tests/workflows/test_calibrate.py has one",
    "weights join": "what land.alone gives; tests/models/test_sparse_land_cover.py joins a small one",
    "srun": "no SLURM; tests/training/test_fabric_devices.py stands in for its variables",
}
"""Parts of lines that cannot run here, and their replacements."""

ROOFS = [(20, 20, 24), (30, 150, 20), (150, 40, 26), (160, 190, 22), (210, 110, 20)]
PONDS = [(70, 90, 22), (90, 200, 24), (215, 30, 20), (120, 120, 18)]

BRIEF = {
    "optim.steps": 1,
    "optim.warmup_steps": 0,
    "optim.batch": 2,
    "validation.every": 1,
    "augment.size": 64,
    "device.threads": 1,
    "data.workers": 0,
}
FRESH = {"network.variant": "tiny", "network.start": "null", "prompts.mode": "fixed"}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all files that the pages name."""
    folder = tmp_path_factory.mktemp("named")
    write_planted(folder / "model.safetensors")
    export(Siamese(), folder / "net.onnx")
    for before, after, seed in (("before", "after", 3), ("2015", "2024", 3), ("2024", "2025", 9)):
        places = (ROOFS, PONDS) if seed == 3 else ([(40, 60, 24)], [(60, 180, 22)])
        made = make_pair(folder / "pair", 256, seed, *places)
        for file, name in zip(made, (before, after), strict=True):
            shutil.copy(file, folder / f"{name}.tif")
    pair = folder / "before.tif", folder / "after.tif"
    found = geochange.detect(*pair, folder / "reviewed.gpkg", model="cva")
    roofs = found.changes.intersects(on_the_ground(ROOFS))
    verdicts = zip(found.changes.id, roofs, strict=True)
    set_status(
        folder / "reviewed.gpkg", {n: "accept" if roof else "reject" for n, roof in verdicts}
    )
    make_chips(folder / "SYSU-CD", {"train": 4, "val": 2, "test": 2})
    make_chips(folder / "OWN-CHIPS", {"train": 4, "val": 2})
    (folder / "weights").mkdir()
    shutil.copy(folder / "model.safetensors", folder / "weights" / "SYSU-CD.safetensors")
    (folder / "scenes").mkdir()
    for number, date in enumerate(("2021-06-12", "2022-06-18", "2023-06-09")):
        _, after = make_pair(folder / "dated", 256, 3, ROOFS[:number], [])
        shutil.copy(after, folder / "scenes" / f"{date}.tif")
    make_pictures(folder / "DATA")
    shutil.copytree(ROOT / "configs", folder / "configs")
    return folder


def shortened(name: str, words: list[str]) -> list[str]:
    """A line with options that shorten a training of hours to a step or two."""
    if words[:2] == ["train", "configs/default.yaml"]:
        return [*words, *_set(FEW)]
    if words[:2] == ["train", "configs/lite.yaml"]:
        return [*words, *_set(FEW | FRESH)]
    if words[0] == "train":
        return [*words, *_set(BRIEF if "--from" in words else BRIEF | FRESH)]
    if name.endswith("finetune.py"):
        return [*words, "--size", "64", *_set(BRIEF)]
    return [*words, "--size", "64"] if words[:2] == ["data", "chips"] else words


def _set(options: dict[str, object]) -> list[str]:
    return [word for key, value in options.items() for word in ("--set", f"{key}={value}")]


def run(line: str) -> None:
    name, words = words_of(line)
    changes = Path("changes.gpkg")
    if "--reviewed" in words:
        shutil.copy("reviewed.gpkg", changes)  # as if reviewed in QGIS
    elif words[-1] != changes.name:
        changes.unlink(missing_ok=True)
    command = pipeline_command(ROOT / name) if name.endswith(".py") else cli
    done = CliRunner().invoke(command, shortened(name, words))
    assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception!r}"


def can_run(line: str) -> bool:
    return not any(part in line for part in NOT_HERE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_do_what_they_say(
    page: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "here"
    shutil.copytree(prepared, here)
    monkeypatch.chdir(here)
    monkeypatch.setenv("CDPATH", str(here))
    for line in filter(can_run, commands_of(page)):
        run(line)


def test_what_is_not_run_is_still_shown_and_most_is_run() -> None:
    lines = [line for page in PAGES for line in commands_of(page)]
    assert all(any(part in line for line in lines) for part in NOT_HERE)
    assert sum(map(can_run, lines)) > 12


def test_tests_that_stand_in_are_there() -> None:
    named = re.findall(r"tests/\S+\.py", " ".join(NOT_HERE.values()))
    assert len(named) > 4
    assert [name for name in named if not (ROOT / name).is_file()] == []
