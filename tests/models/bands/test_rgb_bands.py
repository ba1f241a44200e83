"""Bands as RGB: by the statistics of the card, the same alone and in company."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from makers import make_chip

from geochange.models.bands.input_bands import InputBands
from geochange.models.bands.rgb_bands import shown_batch, shown_chip, shown_places, shown_rgb
from geochange.models.inference.batch import collate


def bands(count: int, rgb: tuple[int, ...] = ()) -> InputBands:
    numbers = tuple(range(1, count + 1))
    return InputBands(tuple(map(str, numbers)), numbers, (100.0,) * count, (10.0,) * count, rgb=rgb)


@pytest.mark.parametrize(
    ("count", "rgb", "places"),
    [(1, (), (0, 0, 0)), (2, (), (0, 0, 0)), (3, (), (0, 1, 2)), (5, (), (0, 1, 2)),
     (5, (3, 2, 1), (3, 2, 1))],
)  # fmt: skip
def test_which_bands_are_shown(count: int, rgb: tuple[int, ...], places: tuple[int, ...]) -> None:
    assert shown_places(bands(count, rgb)) == places


def test_two_deviations_to_either_side_are_black_and_white() -> None:
    values = torch.tensor([60.0, 80.0, 100.0, 110.0, 120.0, 900.0]).reshape(1, 1, 1, 6)
    assert shown_rgb(values, bands(1))[0, 0, 0].tolist() == [0, 0, 128, 191, 255, 255]


def test_chips_and_batches_are_shown_alike() -> None:
    rng = np.random.default_rng(0)
    chip = make_chip(*(rng.normal(100, 10, (8, 8, 4)).astype(np.float32) for _ in range(2)))
    known = bands(4, (3, 1, 0))
    one, batch = shown_chip(chip, known), shown_batch(collate([chip, chip]), known)
    assert one.before.dtype == np.uint8 and one.before.shape == (8, 8, 3)
    assert (batch.after[1].permute(1, 2, 0).numpy() == one.after).all()
    assert shown_chip(chip, None) is chip
