"""The land head: land cover of each pixel at each date, besides the change."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from changeclip_cases import SMALL_LITE, SMALL_RESNET
from torch.nn import functional as F

from geochange.land_cover import CLASSES
from geochange.models.changeclip.land_cover_head import LandHead, LandOptions
from geochange.models.changeclip.network import (
    Answer,
    ChangeClip,
    ChangeClipOptions,
    concatenate_answers,
    matched_colours,
)
from geochange.models.weights.model_card import Card

OPTIONS = SMALL_LITE
LAND = LandOptions(channels=8, fine=4)


@pytest.fixture(scope="module")
def network() -> ChangeClip:
    torch.manual_seed(0)
    return ChangeClip(OPTIONS).eval()


def pictures(count: int = 1) -> torch.Tensor:
    draw = torch.Generator().manual_seed(1)
    return torch.randint(0, 256, (count, 3, 64, 96), generator=draw).float()


def texts(count: int = 1) -> torch.Tensor:
    return torch.randn(count, 2, 32, generator=torch.Generator().manual_seed(2))


@pytest.mark.slow
@torch.no_grad()
def test_a_network_answers_with_change_and_land(network: ChangeClip) -> None:
    x, t = pictures(), texts()
    answer = network.answer(x, x.flip(3), t, t)
    assert answer.change.shape == (1, 2, 64, 96)
    assert answer.land is not None
    assert [tuple(date.shape) for date in answer.land] == [(1, len(CLASSES), 64, 96)] * 2
    torch.testing.assert_close(answer.change, network(x, x.flip(3), t, t))


@pytest.mark.slow
@torch.no_grad()
def test_a_date_is_seen_alike_whatever_the_other_shows(network: ChangeClip) -> None:
    x, t = pictures(), texts()
    one, other = network.answer(x, x, t, t).land, network.answer(x, 255 - x, t, t).land
    assert one is not None
    assert other is not None
    torch.testing.assert_close(one[0], other[0])
    assert not torch.allclose(one[1], other[1])


@pytest.mark.slow
@torch.no_grad()
def test_what_stands_there_is_heard_by_the_change(network: ChangeClip) -> None:
    x, t = pictures(), texts()
    assert network.land_head is not None
    heard = network(x, x.flip(3), t, t)
    kept = network.land_head.classify.bias.clone()
    network.land_head.classify.bias[0] += 5
    assert not torch.allclose(network(x, x.flip(3), t, t), heard)
    network.land_head.classify.bias.copy_(kept)


@torch.no_grad()
def test_colours_are_matched_in_light() -> None:
    x = F.interpolate(pictures(), scale_factor=4)
    dimmed = matched_colours(x * 0.5 + 40)
    torch.testing.assert_close(dimmed, matched_colours(x), atol=0.35, rtol=0)
    assert matched_colours(torch.full((1, 3, 64, 64), 90.0)).abs().max() == 0


def test_answers_are_cut_and_joined() -> None:
    one = Answer(torch.zeros(1, 2, 4, 4), (torch.zeros(1, 5, 4, 4), torch.ones(1, 5, 4, 4)))
    cut = concatenate_answers([one, one]).cut(3, 2)
    assert cut.change.shape == (2, 2, 3, 2)
    assert cut.land is not None
    assert cut.land[1].shape == (2, 5, 3, 2)
    assert concatenate_answers([Answer(torch.zeros(1, 2, 4, 4))]).land is None


def test_a_card_tells_of_tower_and_land_head() -> None:
    card = Card(OPTIONS)
    assert Card.from_json(card.to_json()).options == OPTIONS


def test_a_card_of_before_there_was_a_land_head_is_read() -> None:
    values = json.loads(Card(SMALL_RESNET).to_json())
    del values["options"]["land"]
    assert Card.from_json(json.dumps(values)).options == SMALL_RESNET


@pytest.mark.slow
def test_a_tower_without_a_fine_map_takes_no_land_head() -> None:
    with pytest.raises(ValueError, match="fine map"):
        ChangeClip(replace(SMALL_RESNET, land=LAND))


def test_the_head_is_of_the_size_of_the_fine_map() -> None:
    head = LandHead((6, 8, 10, 12), 4, LAND).eval()
    maps = [
        torch.zeros(1, c, 64 // s, 64 // s)
        for c, s in zip((6, 8, 10, 12), (4, 8, 16, 32), strict=True)
    ]
    logits, told = head(maps, torch.zeros(1, 4, 32, 32))
    assert logits.shape == (1, len(CLASSES), 32, 32)
    assert told.shape == (1, LAND.fine, 32, 32)


def test_published_options_have_no_land_head() -> None:
    assert ChangeClipOptions().land is None
