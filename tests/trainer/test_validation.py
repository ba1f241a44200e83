"""Validation: chips of any shape are predicted in batches of one shape, and counted once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from makers import noise

from geochange.chip import Chip
from geochange.models.inference.batch import Batch
from geochange.trainer import validation
from geochange.trainer.validation import REFERENCE_PX, Validator, spread_numbers

pytestmark = pytest.mark.slow

SHAPES = ((32, 32), (32, 32), (48, 32), (32, 32), (32, 32), (32, 32))


class Chips:
    """Chips whose top row changed."""

    def __init__(self, shapes: tuple[tuple[int, int], ...]) -> None:
        self.shapes = shapes

    def __len__(self) -> int:
        return len(self.shapes)

    def __getitem__(self, number: int) -> Chip:
        shape = self.shapes[number]
        pixels = noise((*shape, 3), number)
        label = np.zeros(shape, np.uint8)
        label[0] = 1
        return Chip(pixels, pixels, np.ones(shape, np.bool_), label)

    def pictures(self, number: int) -> tuple[str, str]:
        return self.name(number), self.name(number)

    def name(self, number: int) -> str:
        return str(number)


class AllChanged:
    bands = 3
    threshold = 0.5
    seen: list[tuple[int, ...]]

    def __init__(self) -> None:
        self.seen = []

    def fit(self, sample: Any) -> dict[str, Any]:
        return {}

    def adopt(self, statistics: Any) -> None:
        pass

    def named_logits(self, batch: Batch, names: Any) -> torch.Tensor:
        assert [len(date) for date in names] == [len(batch)] * 2
        self.seen.append(tuple(batch.valid.shape))
        return torch.ones(batch.valid.shape)


def examine(
    shapes: tuple[tuple[int, int], ...], batch: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[validation.ValidationResult, AllChanged]:
    model = AllChanged()
    monkeypatch.setattr(validation, "detector_of", lambda *_: model)
    numbers = range(len(shapes))
    examiner = Validator(Chips(shapes), [((), ())] * len(shapes), numbers, frozenset([2]), batch)
    given: Any = torch.nn.Identity()
    return examiner.examine(given, given, "cpu"), model


def test_chips_of_several_shapes_are_validated(monkeypatch: pytest.MonkeyPatch) -> None:
    verdict, model = examine(SHAPES, 2, monkeypatch)
    assert verdict.known == sum(height * width for height, width in SHAPES)
    assert verdict.counts.tp == sum(width for _, width in SHAPES)
    assert verdict.counts.fn == 0
    assert model.seen == [(2, 32, 32), (1, 48, 32), (2, 32, 32), (1, 32, 32)]
    assert [row.name for row in verdict.rows] == ["2"]


def test_fewer_of_larger_chips_are_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    large = (2 * REFERENCE_PX, REFERENCE_PX)
    _, model = examine(((32, 32), (32, 32), large, large), 2, monkeypatch)
    assert model.seen == [(2, 32, 32), (1, *large), (1, *large)]


def test_what_is_shown_is_spread() -> None:
    assert spread_numbers(10, 3) == {0, 4, 9}
    assert spread_numbers(2, 5) == {0, 1}
    assert spread_numbers(5, 0) == set()
