"""Chips, labels and texts as a network learns from them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from geochange.chip import Chip
from geochange.models.learning.labelled_batch import LabelledBatch, collate_labelled
from geochange.models.prompts import BACKGROUND, foreground_tokens, tokenise

pytestmark = pytest.mark.slow

ONE = ("building", "road")
TWO = ("forest", "river")


def chip(value: int) -> Chip:
    date = np.full((4, 6, 3), value, np.uint8)
    label = np.zeros((4, 6), np.uint8)
    label[0], label[1] = 1, 255
    return Chip(date, date + 1, label != 255, label)


def lesson() -> LabelledBatch:
    return collate_labelled([(chip(1), (ONE, TWO)), (chip(5), (TWO, TWO))], places=64)


def test_pictures_and_labels_are_stacked() -> None:
    batch = lesson()
    assert len(batch) == 2
    assert batch.before.shape == batch.after.shape == (2, 3, 4, 6)
    assert batch.before[1].unique().tolist() == [5]
    assert batch.after[1].unique().tolist() == [6]
    assert batch.labels.dtype == torch.uint8
    assert batch.labels[0, :, 0].tolist() == [1, 255, 0, 0]
    assert batch.known == 2 * 18


def test_no_text_is_there_twice_and_each_chip_finds_its_own() -> None:
    batch = lesson()
    rows = [tokenise(BACKGROUND, 64), foreground_tokens(ONE, 64), foreground_tokens(TWO, 64)]
    assert batch.tokens.tolist() == rows
    assert batch.texts.tolist() == [[1, 2], [2, 2]]


def test_it_moves_whole() -> None:
    moved = lesson().to(torch.device("meta"))
    assert {x.device.type for x in (*moved.inputs, moved.labels, moved.batch.valid)} == {"meta"}


def test_a_chip_without_a_label_is_a_mistake() -> None:
    blank = chip(1)
    with pytest.raises(ValueError, match="needs a label"):
        collate_labelled([(Chip(blank.before, blank.after, blank.valid), (ONE, TWO))], places=64)
