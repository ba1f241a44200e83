"""The neck: two pyramids become one, from their difference, its weight, and their fusion."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from geochange.models.changeclip.layers import named_conv


class FeaturePyramid(nn.Module):
    """FPN (Lin 2017): 1x1 laterals, nearest-neighbour top-down sums, 3x3 outputs, nothing else."""

    def __init__(self, inputs: Sequence[int], channels: int) -> None:
        super().__init__()
        self.lateral_convs = nn.ModuleList(named_conv(size, channels) for size in inputs)
        self.fpn_convs = nn.ModuleList(named_conv(channels, channels, 3) for _ in inputs)

    def forward(self, maps: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """From maps, fine to coarse; returns maps of `channels` of the same sizes."""
        levels = [conv(x) for conv, x in zip(self.lateral_convs, maps, strict=True)]
        for fine in range(len(levels) - 2, -1, -1):
            size = levels[fine].shape[2:]
            levels[fine] = levels[fine] + F.interpolate(levels[fine + 1], size=size, mode="nearest")
        return [conv(x) for conv, x in zip(self.fpn_convs, levels, strict=True)]


class Fusion(nn.Module):
    """Squeeze-and-excite (Hu 2018) over the concatenated maps, then 1x1 to `channels`."""

    def __init__(self, inputs: int, channels: int, squeeze: int) -> None:
        super().__init__()
        self.conv1 = named_conv(inputs, inputs // squeeze, act=nn.ReLU())
        self.conv2 = named_conv(inputs // squeeze, inputs)
        self.conv_last = named_conv(inputs, channels, act=nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) -> (B, channels, H, W)."""
        weight = self.conv2(self.conv1(x.mean(dim=(2, 3), keepdim=True)))
        # mmcv's hard sigmoid, (x + 3) / 6 clamped to 0..1, is the same as torch's.
        fused: torch.Tensor = self.conv_last(x * F.hardsigmoid(weight))
        return fused


def difference(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """(B, 1, H, W) weight in 0.27..0.88: sigmoid(1 - cosine of the two dates' channels)."""
    cosine = F.cosine_similarity(before.float(), after.float(), dim=1)
    return torch.sigmoid(1.0 - cosine).unsqueeze(1).to(before.dtype)


def score_map(places: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
    """The cosine of each position with each text: (B, C, H, W) and (B, T, C) -> (B, T, H, W)."""
    return torch.einsum("bchw,btc->bthw", F.normalize(places, dim=1), F.normalize(texts, dim=2))
