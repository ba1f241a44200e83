"""The opinion of a land network: learnt from planted pairs alone, and kept by a training after it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from changeclip_cases import SMALL_LITE, SMALL_RESNET
from unlabelled_pictures import FEW, make_pictures

from geochange.config import TrainOptions
from geochange.errors import InputError
from geochange.models.changeclip.land_cover_network import LandNetworkOptions, land_tensors
from geochange.models.changeclip.network import ChangeClip
from geochange.models.learning.second_opinion_training import SecondOpinionOptions
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.models.weights.model_card import Card
from geochange.trainer.joined.second_opinion_pairs import with_second_opinion
from geochange.workflows.train import train

pytestmark = pytest.mark.slow

HOW = SecondOpinionOptions(pairs=3, channels=4, steps=4)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("pictures"))


@pytest.fixture(scope="module")
def joined() -> Checkpoint:
    torch.manual_seed(3)
    small, lite = ChangeClip(SMALL_RESNET), ChangeClip(SMALL_LITE)
    assert SMALL_LITE.land is not None
    land = LandNetworkOptions(SMALL_LITE.visual, SMALL_LITE.land)  # type: ignore[arg-type]
    card = Card(SMALL_RESNET, prompts="fixed", land=land, temperature=2.0)
    return Checkpoint(card, small.state_dict(), land=land_tensors(lite.state_dict()))


@pytest.fixture(scope="module")
def opinionated(joined: Checkpoint, data: Path) -> Checkpoint:
    return with_second_opinion(joined, data, HOW)


def test_both_networks_stay_as_they_were(joined: Checkpoint, opinionated: Checkpoint) -> None:
    for name, tensor in joined.tensors.items():
        assert torch.equal(opinionated.tensors[name], tensor)
    for name, tensor in joined.land.items():
        assert torch.equal(opinionated.land[name], tensor)
    new = opinionated.land.keys() - joined.land.keys()
    assert new
    assert all(name.startswith("opinion.") for name in new)
    assert opinionated.land["opinion.say.weight"].abs().sum() > 0
    assert opinionated.card.land == replace(joined.card.land, opinion=4)  # type: ignore[type-var]
    assert opinionated.card.threshold == joined.card.threshold


def test_the_same_pictures_teach_the_same_again(
    joined: Checkpoint, opinionated: Checkpoint, data: Path
) -> None:
    again = with_second_opinion(opinionated, data, HOW)
    for name, tensor in opinionated.land.items():
        torch.testing.assert_close(again.land[name], tensor)


def test_a_folder_without_pictures_is_refused(joined: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(InputError):
        with_second_opinion(joined, tmp_path, HOW)


def test_a_training_keeps_what_stands_beside_the_network(
    opinionated: Checkpoint, data: Path, tmp_path: Path
) -> None:
    start = tmp_path / "start.safetensors"
    write_checkpoint(start, opinionated)
    chosen: dict[str, dict[str, object]] = {}
    more = {"data.root": str(data), "network.start": str(start), "prompts.mode": "fixed"}
    for name, value in (FEW | {"data.layout": "planted"} | more).items():
        section, key = name.split(".")
        chosen.setdefault(section, {})[key] = value
    best = read_checkpoint(train(TrainOptions.parse(chosen), tmp_path / "out").best)
    assert best.card.land == opinionated.card.land
    for name, tensor in opinionated.land.items():
        assert torch.equal(best.land[name], tensor)
    assert not torch.equal(best.tensors["gamma"], opinionated.tensors["gamma"])
