"""What semantic heads need, refused before any chip is read."""

from __future__ import annotations

from typing import Any

import pytest
from changeclip_cases import SMALL_LITE, SMALL_RESNET

from geochange.config import TrainOptions
from geochange.errors import OptionError
from geochange.land_cover import ClassTable
from geochange.models.weights.model_card import Card
from geochange.trainer.recipe import is_pretrained_here, network_start_of
from geochange.trainer.semantic.heads import check_heads

pytestmark = pytest.mark.slow


def options_of(heads: str = "semantic", **more: Any) -> TrainOptions:
    network = {"heads": heads, **more.pop("network", {})}
    return TrainOptions.parse({"network": network, **more})


def test_a_land_head_is_that_of_the_variant_or_of_the_start() -> None:
    check_heads(options_of(network={"variant": "lite"}), None)
    check_heads(options_of(network={"variant": "rn50"}), Card(SMALL_LITE))
    check_heads(options_of("change"), None)
    for start in (None, Card(SMALL_RESNET)):
        with pytest.raises(OptionError, match=r"set network\.variant lite"):
            check_heads(options_of(network={"variant": "rn50"}), start)


def test_what_learns_other_classes_is_refused() -> None:
    lite = {"variant": "lite", "start": "imagenet"}
    with pytest.raises(OptionError, match=r"land\.alone: .* set network\.heads change"):
        check_heads(options_of(network=lite, land={"alone": True}), None)
    with pytest.raises(OptionError, match=r"network\.start scenes: .* take imagenet"):
        check_heads(options_of(network={**lite, "start": "scenes"}), None)
    with pytest.raises(OptionError, match=r"network\.feature_noise: .* set it to 0"):
        check_heads(options_of(network={**lite, "feature_noise": 0.5}), None)


def test_imagenet_gives_the_tower_alone() -> None:
    """Neither a CLIP nor the usual land classes are learnt first; the classes are those of the chips."""
    lite = {"variant": "lite", "start": "imagenet"}
    options, table = options_of(network=lite), ClassTable(("pond", "shed"))
    assert not is_pretrained_here(options)
    assert is_pretrained_here(options_of("change", network=lite))
    start = network_start_of(options, classes=table)
    assert (start.weights, start.classes) == ("imagenet", table)
