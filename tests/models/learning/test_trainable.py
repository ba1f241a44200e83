"""The network for training, and its initial weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from changeclip_cases import SMALL, small, small_clip
from safetensors.torch import save_file
from torch import nn

from geochange.chip import Chip
from geochange.errors import InputError, OptionError
from geochange.models.changeclip.network import ChangeClip
from geochange.models.changeclip.variants import (
    VARIANTS,
    Regularisation,
    find_variant,
    with_regularisation,
)
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.learning.labelled_batch import collate_labelled
from geochange.models.learning.trainable import NetworkStart, TrainableChangeClip, initial_network
from geochange.models.prompts import published_vocabulary
from geochange.models.weights.checkpoint import Checkpoint, write_checkpoint
from geochange.models.weights.model_card import Card

HOW = Regularisation(0.3, 0.4, 0.5)
NAMES = published_vocabulary()[:9], published_vocabulary()[9:18]


def chips(count: int) -> list[Chip]:
    drawn = np.random.default_rng(3).integers(0, 256, (count, 2, 64, 64, 3), dtype=np.uint8)
    label = np.zeros((64, 64), np.uint8)
    return [Chip(before, after, label == 0, label) for before, after in drawn]


@pytest.mark.slow
@pytest.mark.parametrize("kind", SMALL)
def test_it_answers_as_the_model_that_run_makes_of_it(kind: str) -> None:
    network = small(kind)
    lesson = collate_labelled([(chip, NAMES) for chip in chips(2)], places=64)
    detector = ChangeClipDetector(DetectorSpec(""), network, Card(SMALL[kind]))
    expected = detector.named_logits(lesson.batch, ([NAMES[0]] * 2, [NAMES[1]] * 2))
    with torch.no_grad():
        logits = TrainableChangeClip(network).eval()(*lesson.inputs)
    torch.testing.assert_close(logits[:, 1] - logits[:, 0], expected, atol=2e-5, rtol=0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", SMALL)
def test_gradients_reach_every_weight(kind: str) -> None:
    learner = TrainableChangeClip(small(kind).requires_grad_(True)).train()
    lesson = collate_labelled([(chip, NAMES) for chip in chips(2)], places=64)
    learner(*lesson.inputs).square().mean().backward()
    untouched = [n for n, p in learner.named_parameters() if p.grad is None]
    assert untouched == []


@pytest.mark.slow
def test_frozen_norms_keep_their_statistics() -> None:
    lesson = collate_labelled([(chip, NAMES) for chip in chips(2)], places=64)
    for frozen in (True, False):
        learner = TrainableChangeClip(small("resnet"), frozen=frozen).train()
        norm = next(m for m in learner.modules() if isinstance(m, nn.BatchNorm2d))
        before = norm.running_mean.clone()  # type: ignore[union-attr]
        learner(*lesson.inputs)
        assert torch.equal(before, norm.running_mean) is frozen  # type: ignore[arg-type]


@pytest.mark.slow
def test_norms_of_all_devices() -> None:
    learner = TrainableChangeClip(small("resnet"))
    names = set(learner.state_dict())
    learner.synchronise()
    kinds = {type(m) for m in learner.modules()}
    assert nn.SyncBatchNorm in kinds and nn.BatchNorm2d not in kinds
    assert set(learner.state_dict()) == names


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_are_told_how_they_are_trained(name: str) -> None:
    options = with_regularisation(find_variant(name).options, HOW)
    assert (options.context.dropout, options.decoder.dropout) == (0.3, 0.3)
    assert options.decoder.drop_path == 0.4
    assert getattr(options.visual, "drop_path", 0.5) == 0.5
    assert with_regularisation(options, Regularisation()) == find_variant(name).options


@pytest.mark.slow
def test_a_start_from_nothing_is_a_function_of_the_seed() -> None:
    one, other, third = (
        initial_network(NetworkStart("tiny", None, HOW, seed=seed))[0].state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert not torch.equal(one["contexts2"], third["contexts2"])


@pytest.mark.slow
def test_a_start_from_a_checkpoint_takes_its_sizes_and_forgets_its_praise(tmp_path: Path) -> None:
    file = tmp_path / "best.safetensors"
    card = Card(SMALL["vit"], threshold=0.3, temperature=2.0, metrics={"iou": 1.0}, licence="mine")
    kept = small("vit").state_dict()
    write_checkpoint(file, Checkpoint(card, kept))
    network, found = initial_network(NetworkStart("tiny", str(file), HOW))
    assert isinstance(network, ChangeClip)
    assert all(torch.equal(value, kept[name]) for name, value in network.state_dict().items())
    assert found.options == with_regularisation(SMALL["vit"], HOW) == network.options
    assert (found.threshold, found.temperature, dict(found.metrics)) == (0.5, 1.0, {})
    assert found.licence == "mine"


@pytest.mark.slow
def test_the_shipped_network_is_a_start_by_its_name() -> None:
    network, card = initial_network(NetworkStart("rn50", "changeclip-small", Regularisation()))
    assert card.clip == "own" and card.threshold == 0.5
    assert sum(p.numel() for p in network.parameters()) < 15e6


@pytest.mark.slow
def test_a_start_from_clip_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "clip.safetensors"
    save_file(dict(small_clip().state_dict()), file)
    with pytest.raises(InputError, match="does not fit the network's towers"):
        initial_network(NetworkStart("tiny", str(file), HOW))


@pytest.mark.parametrize(
    ("variant", "weights", "told"),
    [
        ("huge", None, "there are rn50, vit-b16"),
        ("tiny", "clip", "tiny has no CLIP"),
    ],
)
def test_starts_that_cannot_be_are_refused(variant: str, weights: str | None, told: str) -> None:
    with pytest.raises(OptionError, match=told):
        initial_network(NetworkStart(variant, weights, HOW))


def test_a_file_that_is_neither_is_told_what_it_lacks(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, file)
    with pytest.raises(InputError, match="neither ChangeCLIP's nor CLIP's"):
        initial_network(NetworkStart("tiny", str(file), HOW))
