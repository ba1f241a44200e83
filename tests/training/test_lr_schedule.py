"""Learning rates by step, and which parameters decay."""

from __future__ import annotations

from functools import partial
from itertools import pairwise

import pytest
import torch
from changeclip_cases import SMALL, small
from torch import nn

from geochange.training.lr_schedule import learning_rate, parameter_groups

published = partial(
    learning_rate, base=3e-5, warmup_steps=1500, warmup_factor=1e-6, total_steps=20_000, power=1.0
)


def test_the_published_rates() -> None:
    assert published(0) == pytest.approx(3e-11)
    assert published(750) == pytest.approx(1.5e-5, rel=1e-5)
    assert published(1500) == 3e-5
    assert published(1500 + 9250) == pytest.approx(1.5e-5)
    assert published(19_999) == pytest.approx(3e-5 / 18_500)
    assert published(20_000) == 0


def test_it_rises_and_then_falls() -> None:
    rates = [published(step) for step in range(20_001)]
    assert all(a < b for a, b in pairwise(rates[:1501]))
    assert all(a > b for a, b in pairwise(rates[1500:]))


def test_a_power_bends_the_decay() -> None:
    rate = partial(learning_rate, base=1.0, warmup_steps=0, warmup_factor=0.1, total_steps=10)
    assert rate(0, power=0.9) == 1
    assert rate(5, power=0.9) == pytest.approx(0.5**0.9)
    assert rate(5, power=2.0) == 0.25


def test_fewer_steps_than_the_warm_up_has() -> None:
    rate = partial(
        learning_rate, base=1.0, warmup_steps=10, warmup_factor=0.0, total_steps=5, power=1.0
    )
    assert [rate(step) for step in (0, 4, 9)] == pytest.approx([0, 0.4, 0.9])
    assert rate(10) == 0


NORMS = (nn.LayerNorm, nn.GroupNorm, nn.BatchNorm2d)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SMALL)
def test_norms_and_relative_positions_do_not_decay(kind: str) -> None:
    network = small(kind).requires_grad_(True)
    groups = parameter_groups(network, 0.01)
    decay = {id(p): group["weight_decay"] for group in groups for p in group["params"]}
    named = dict(network.named_parameters())
    assert len(decay) == len(named) == sum(len(group["params"]) for group in groups)
    parts = dict(network.named_modules())
    free = set()
    for name, parameter in named.items():
        owner, _, leaf = name.rpartition(".")
        if isinstance(parts[owner], NORMS) or leaf == "relative_position_bias_table":
            free.add(name)
        assert decay[id(parameter)] == (0.0 if name in free else 0.01), name
    some = {name.rpartition(".")[2] for name in free}
    assert some == {"weight", "bias", "relative_position_bias_table"}
    # Parameters that are easily mistaken for one of these, and single numbers or vectors.
    for name in (
        "gamma",
        "contexts2",
        "text_encoder.positional_embedding",
        "decode_head.conv_seg.bias",
    ):
        assert decay[id(named[name])] == 0.01


def test_what_is_frozen_is_left_out() -> None:
    network = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2))
    network[1].requires_grad_(False)
    (group,) = parameter_groups(network, 0.1)
    assert [p.shape for p in group["params"]] == [(2, 2), (2,)]
    assert group["weight_decay"] == 0.1


def test_synchronised_norms_are_norms_too() -> None:
    network = nn.SyncBatchNorm.convert_sync_batchnorm(nn.BatchNorm2d(3))
    (group,) = parameter_groups(network, 0.1)
    assert (group["weight_decay"], len(group["params"])) == (0.0, 2)


def test_an_optimiser_takes_them() -> None:
    shared = nn.Linear(3, 3)
    network = nn.Sequential(shared, nn.LayerNorm(3), shared)
    optimiser = torch.optim.AdamW(parameter_groups(network, 0.01), lr=1e-4)
    assert [len(group["params"]) for group in optimiser.param_groups] == [2, 2]
