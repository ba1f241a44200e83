"""Feature noise: changes planted into features, labelled where they are, the same again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from geochange.chip import UNKNOWN, Chip
from geochange.models.learning.feature_noise import (
    COVERED,
    STRENGTH,
    collate_with_noise,
    move_features,
    with_feature_noise,
)
from geochange.models.learning.labelled_batch import LabelledBatch, collate_labelled

pytestmark = pytest.mark.slow

NAMES = (("building",), ("road",))
SIDE = 64


def lesson(count: int = 40) -> LabelledBatch:
    draw = np.random.default_rng(4)
    label = np.zeros((SIDE, SIDE), np.uint8)
    label[0] = UNKNOWN
    chips = [
        Chip(*draw.integers(0, 256, (2, SIDE, SIDE, 3), dtype=np.uint8), label == 0, label)
        for _ in range(count)
    ]
    return collate_labelled([(chip, NAMES) for chip in chips], 64)


def test_what_moves_is_labelled() -> None:
    plain = lesson()
    noisy = with_feature_noise(plain, 0.5)
    assert noisy.noise is not None
    moved = noisy.noise > 0
    known = plain.labels != UNKNOWN
    assert (moved & ~known).any()
    assert (noisy.labels[moved & known] == 1).all()
    assert torch.equal(noisy.labels[~(moved & known)], plain.labels[~(moved & known)])
    chosen = moved.flatten(1).any(dim=1)
    assert 10 <= int(chosen.sum()) <= 30
    covered = moved[chosen].flatten(1).float().mean(dim=1)
    assert covered.min() >= COVERED[0] - 0.01
    assert covered.max() <= COVERED[1] + 0.01
    assert STRENGTH[0] <= noisy.noise[moved].min() <= noisy.noise.max() <= STRENGTH[1]


def test_the_same_chips_have_the_same_outlines() -> None:
    one, two = (with_feature_noise(lesson(8), 1.0).noise for _ in range(2))
    assert one is not None
    assert two is not None
    assert torch.equal(one, two)
    assert one.flatten(1).any(dim=1).all()


def test_without_a_share_the_batch_is_as_it_was() -> None:
    chip = Chip(*np.zeros((2, SIDE, SIDE, 3), np.uint8), np.ones((SIDE, SIDE), bool))
    labelled = replace(chip, label=np.zeros((SIDE, SIDE), np.uint8))
    found = collate_with_noise([(labelled, NAMES)], 64, 0.0)
    assert found.noise is None
    assert len(found.inputs) == 4


@pytest.mark.parametrize("size", [16, 2])
def test_features_move_within_the_outlines_alone(size: int) -> None:
    torch.manual_seed(0)
    level = torch.randn(3, 5, size, size) * 4
    masks = torch.zeros(3, SIDE, SIDE)
    masks[0, : SIDE // 2] = 1.5
    (moved,) = move_features([level], masks)
    assert torch.equal(moved[1:], level[1:])
    assert torch.equal(moved[0, :, size // 2 :], level[0, :, size // 2 :])
    apart = (moved - level)[0, :, : size // 2].abs()
    assert (apart.amax(dim=(1, 2)) > 0).all()
    assert 1 < apart.mean() < 20
