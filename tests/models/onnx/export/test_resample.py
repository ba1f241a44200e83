"""Resizing by matrices equals torch's bicubic interpolation with antialias."""

from __future__ import annotations

import pytest
import torch

from geochange.models.clip_scorer import MEAN, STD, preprocess
from geochange.models.onnx.export.resample import squared


@pytest.mark.parametrize(
    "size", [(32, 32), (64, 64), (96, 160), (101, 47), (20, 20), (17, 40), (33, 32)]
)
def test_pictures_of_any_size_are_those_of_the_scorer(size: tuple[int, int]) -> None:
    noise = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(1))
    pictures = (noise * 255).round()
    mean, std = (torch.tensor(numbers)[:, None, None] for numbers in (MEAN, STD))
    expected = (preprocess(pictures, 32) * std + mean) * 255
    found = squared(pictures, 32)
    assert found.shape == (2, 3, 32, 32)
    # A value that lies between two levels may round to either.
    assert (found - expected).abs().max() < 1.01
    assert ((found - expected).abs() > 0.01).float().mean() < 0.002
