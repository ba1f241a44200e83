"""Small layers that several parts of the network share."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F


class DropPath(nn.Module):
    """Stochastic depth (Huang 2016): drop a residual branch for some samples while training.

    x: (batch, ...); kept samples are scaled by 1 / (1 - rate), so the mean stays the same.
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Drop this branch for some of the batch, or pass it on as it is."""
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep)
        return x * mask / keep

    def extra_repr(self) -> str:
        """The rate, for print(network)."""
        return f"rate={self.rate:g}"


def named_conv(inputs: int, outputs: int, size: int = 1, act: nn.Module | None = None) -> nn.Module:
    """A convolution with bias of odd `size` that keeps height and width, then `act`.

    Its parameters are called `conv.weight` and `conv.bias`, as in the published weights.
    """
    parts = OrderedDict[str, nn.Module](conv=nn.Conv2d(inputs, outputs, size, padding=size // 2))
    if act is not None:
        parts["act"] = act
    return nn.Sequential(parts)


def resize_grid(positions: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Resize learned positions to another feature size.

    positions: (1 + grid * grid, channels), the first row for the global token.
    Returns (1 + height * width, channels): the first row unchanged, the grid resized bilinearly
    (align_corners false, no antialias), as in DenseCLIP (Rao 2022).
    """
    grid = math.isqrt(int(positions.shape[0]) - 1)
    if (height, width) == (grid, grid):
        return positions
    square = positions[1:].T.reshape(1, -1, grid, grid)
    resized = F.interpolate(square.float(), size=(height, width), mode="bilinear")
    return torch.cat([positions[:1], resized.flatten(2)[0].T.to(positions.dtype)])


def band_tensor(numbers: Sequence[float], device: torch.device) -> torch.Tensor:
    """(band, 1, 1) float32 on a device.

    It is filled on the device: a copy from the host would make the host wait for the device.
    """
    return torch.cat([torch.full((1, 1, 1), number, device=device) for number in numbers])
