"""The recipe of the default network: its own CLIP, then planted changes; also interrupted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from unlabelled_pictures import FEW, make_pictures

from geochange.config import TrainOptions
from geochange.config.files import read_options
from geochange.models.weights.checkpoint import read_checkpoint, read_clip
from geochange.workflows.train import train

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


def options(data: Path, **more: object) -> TrainOptions:
    given = FEW | {"data.root": str(data)} | more
    return read_options(TrainOptions, ROOT / "configs" / "default.yaml", given)


@pytest.mark.slow
def test_the_recipe_makes_a_network_with_its_own_clip(data: Path, tmp_path: Path) -> None:
    trained = train(options(data), tmp_path / "out")
    checkpoint = read_checkpoint(trained.best)
    own = checkpoint.own_clip()
    assert own is not None and checkpoint.card.prompts == "per-date"
    first = read_clip(str(tmp_path / "out" / "clip.safetensors"))
    assert first.quickgelu
    assert all(torch.equal(own.tensors[name], x) for name, x in first.tensors.items())
    assert list((tmp_path / "out" / "sheets").glob("*.png"))


@pytest.mark.slow
def test_it_goes_on_from_its_own_clip(data: Path, tmp_path: Path) -> None:
    best = train(options(data), tmp_path / "first").best
    more = options(data, **{"network.start": str(best)})
    tuned = read_checkpoint(train(more, tmp_path / "second").best)
    before = read_checkpoint(best)
    assert tuned.clip.keys() == before.clip.keys() and tuned.card.clip == "own"
    assert all(torch.equal(tuned.clip[name], value) for name, value in before.clip.items())


@pytest.mark.slow
def test_an_interrupted_clip_goes_on(data: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "align" and done == 3:
            raise KeyboardInterrupt

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    train(options(data), whole)
    with pytest.raises(KeyboardInterrupt):
        train(options(data), broken, watch=stop)
    train(options(data), broken)
    one, two = (read_clip(str(place / "clip.safetensors")).tensors for place in (whole, broken))
    assert all(torch.equal(one[name], two[name]) for name in one)


def say(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "geochange", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)


def test_a_vision_transformer_has_no_clip_of_its_own(data: Path, tmp_path: Path) -> None:
    way = ("configs/default.yaml", "--data", data, "--out", tmp_path / "out")
    told = say("train", *way, "--set", "network.variant=vit-b16")
    assert told.returncode == 2
    assert "network.start scenes: needs a ResNet" in told.stderr
    assert not (tmp_path / "out").exists()


def test_the_sheet_is_written(data: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    way = ("--sheet", sheet, "--count", 6, "--config", "configs/default.yaml")
    told = say("data", "planted", data, *way)
    assert told.returncode == 0, told.stderr
    assert "6 pairs" in told.stdout
    with Image.open(sheet) as picture:
        assert picture.width > 1000


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    told = say("data", "planted", tmp_path, "--sheet", tmp_path / "x.png")
    assert told.returncode == 2
    assert "holds no pictures" in told.stderr
    assert list(tmp_path.iterdir()) == []
