"""The recipe of the default network: its own CLIP, then planted changes; also interrupted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image
from pipeline_runs import command
from unlabelled_pictures import FEW, make_pictures

from geochange.config import TrainOptions
from geochange.config.yaml_files import read_options
from geochange.models.weights.checkpoint import read_checkpoint, read_clip
from geochange.workflows.train import train

RECIPE = Path(__file__).parents[2] / "configs" / "default.yaml"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


def options(data: Path, **more: object) -> TrainOptions:
    given = FEW | {"data.root": str(data)} | more
    return read_options(TrainOptions, RECIPE, given)


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training by the recipe."""
    folder = tmp_path_factory.mktemp("recipe") / "out"
    assert train(options(data), folder).best == folder / "best.safetensors"
    return folder


def test_the_recipe_makes_a_network_with_its_own_clip(trained: Path) -> None:
    checkpoint = read_checkpoint(trained / "best.safetensors")
    own = checkpoint.own_clip()
    assert own is not None and checkpoint.card.prompts == "per-date"
    first = read_clip(str(trained / "clip.safetensors"))
    assert first.quickgelu
    assert all(torch.equal(own.tensors[name], x) for name, x in first.tensors.items())
    assert list((trained / "sheets").glob("*.png"))


def test_it_goes_on_from_its_own_clip(data: Path, trained: Path, tmp_path: Path) -> None:
    best = trained / "best.safetensors"
    more = options(data, **{"network.start": str(best)})
    tuned = read_checkpoint(train(more, tmp_path / "second").best)
    before = read_checkpoint(best)
    assert tuned.clip.keys() == before.clip.keys() and tuned.card.clip == "own"
    assert all(torch.equal(tuned.clip[name], value) for name, value in before.clip.items())


def test_an_interrupted_clip_goes_on(data: Path, trained: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "align" and done == 3:
            raise KeyboardInterrupt

    broken = tmp_path / "broken"
    with pytest.raises(KeyboardInterrupt):
        train(options(data), broken, watch=stop)
    train(options(data), broken)
    one, two = (read_clip(str(place / "clip.safetensors")).tensors for place in (trained, broken))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_vision_transformer_has_no_clip_of_its_own(data: Path, tmp_path: Path) -> None:
    way = (str(RECIPE), "--data", str(data), "--out", str(tmp_path / "out"))
    told = command("train", *way, "--set", "network.variant=vit-b16")
    assert told.returncode == 2
    assert "network.start scenes: needs a ResNet" in told.stderr
    assert not (tmp_path / "out").exists()


def test_the_sheet_is_written(data: Path, tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.png"
    way = ("--sheet", str(sheet), "--count", "6", "--config", str(RECIPE))
    told = command("data", "planted", str(data), *way)
    assert told.returncode == 0, told.stderr
    assert "6 pairs" in told.stdout
    with Image.open(sheet) as picture:
        assert picture.width > 1000


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    told = command("data", "planted", str(tmp_path), "--sheet", str(tmp_path / "x.png"))
    assert told.returncode == 2
    assert "holds no pictures" in told.stderr
    assert list(tmp_path.iterdir()) == []
