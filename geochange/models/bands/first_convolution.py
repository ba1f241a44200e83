"""The first convolution of an image tower, for any number of bands."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

RGB = 3


def set_inputs(convolution: nn.Conv2d, count: int) -> None:
    """Let a fresh convolution take `count` bands, with random weights."""
    if count == convolution.in_channels:
        return
    outputs, _, *size = convolution.weight.shape
    convolution.in_channels = count
    convolution.weight = nn.Parameter(torch.empty(outputs, count, *size))
    convolution.reset_parameters()


def widen(weight: torch.Tensor, count: int, rgb: Sequence[int] = ()) -> torch.Tensor:
    """Weights (output, 3, h, w) of red, green and blue for `count` bands, with the sum of responses kept.

    rgb: the places of red, green and blue among the bands, whose filters they take; without them every
    band takes the mean of the three. The others take the mean, too. All are then scaled by
    3 / count: where all bands show the same, the response is that of the pretrained network to grey.
    """
    mean = weight.mean(dim=1, keepdim=True)
    wide = mean.repeat(1, count, *(1,) * (weight.ndim - 2))
    for band, place in enumerate(rgb):
        wide[:, place] = weight[:, band]
    # The sum over all bands is now `count` times the mean, whichever bands have filters of their own.
    return wide * (RGB / count)
