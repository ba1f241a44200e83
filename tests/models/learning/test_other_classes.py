"""A checkpoint as the start of a network that tells other classes apart."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from changeclip_cases import SMALL_LITE, SMALL_RESNET, pictures

from geochange.errors import InputError
from geochange.land_cover import CLASSES
from geochange.models.changeclip.land_cover_network import LandNetwork, LandNetworkOptions
from geochange.models.changeclip.network import Answer, ChangeClip
from geochange.models.changeclip.variants import find_variant
from geochange.models.learning.other_classes import with_classes
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint
from geochange.models.weights.model_card import Card

pytestmark = pytest.mark.slow

OTHERS = ("playground", *reversed(CLASSES))


@pytest.fixture(scope="module")
def start() -> Checkpoint:
    torch.manual_seed(1)
    made = ChangeClip(SMALL_LITE)
    return Checkpoint(Card(SMALL_LITE, colours=("#000000",) * 5), made.state_dict())


def answer(checkpoint: Checkpoint) -> Answer:
    network = checkpoint.build()
    text = torch.ones(1, 2, network.options.visual.embed)
    with torch.no_grad():
        return network.answer(pictures(1, 32, 32), pictures(1, 32, 32, seed=1), text, text)


def test_classes_that_stay_keep_their_weights_under_other_numbers(start: Checkpoint) -> None:
    turned = with_classes(start, tuple(reversed(CLASSES)), SMALL_LITE)
    assert turned.card.land_classes.names == tuple(reversed(CLASSES))
    assert turned.card.colours == ()
    before, now = answer(start), answer(turned)
    torch.testing.assert_close(now.change, before.change, rtol=1e-4, atol=1e-5)
    assert before.land is not None
    assert now.land is not None
    torch.testing.assert_close(now.land[0], before.land[0].flip(1), rtol=1e-4, atol=1e-5)


def test_a_new_class_is_not_looked_at_by_the_network_of_change(start: Checkpoint) -> None:
    made = with_classes(start, OTHERS, SMALL_LITE)
    made.build()
    tower = SMALL_LITE.visual.channels[0]
    old, new = (x.tensors["minus_conv.0.conv.weight"][:, :, 0, 0] for x in (start, made))
    torch.testing.assert_close(new[:, :tower], old[:, :tower])
    assert (new[:, tower] == 0).all()
    torch.testing.assert_close(new[:, tower + 1 : tower + 6], old[:, tower : tower + 5].flip(1))
    torch.testing.assert_close(new[:, tower + 6 :], old[:, tower + 5 :])
    head = "land_head.classify.weight"
    torch.testing.assert_close(made.tensors[head][1:], start.tensors[head].flip(0))


def test_a_land_network_beside_gives_tower_and_head(start: Checkpoint) -> None:
    assert SMALL_LITE.land is not None
    sizes = LandNetworkOptions(replace(SMALL_LITE.visual), SMALL_LITE.land, opinion=4)
    torch.manual_seed(2)
    beside = LandNetwork(sizes)
    card = Card(SMALL_RESNET, prompts="fixed", land=sizes)
    default = Checkpoint(card, {}, land=beside.state_dict())
    made = with_classes(default, ("water", "roof"), SMALL_LITE)
    network = made.build()
    assert made.card.land is None
    assert made.card.prompts == "fixed"
    assert network.options.land is not None
    assert network.options.land.classes == ("water", "roof")
    for name, value in beside.backbone.state_dict().items():
        torch.testing.assert_close(made.tensors[f"backbone.{name}"], value)


def test_the_network_that_comes_along_learns_other_classes() -> None:
    variant = find_variant("lite")
    made = with_classes(read_checkpoint("changeclip-small"), ("water", "roof"), variant.options)
    network = made.build()
    assert network.options.land is not None
    assert network.options.land.classes == ("water", "roof")


def test_a_network_that_tells_no_classes_is_refused_with_a_cure() -> None:
    with pytest.raises(InputError, match="start from changeclip-small, from imagenet"):
        with_classes(Checkpoint(Card(SMALL_RESNET), {}), ("a", "b"), SMALL_LITE)
