"""Land head: what stands on each pixel of one date, read from the image tower's maps.

A feature pyramid with top-down sums (FPN, Lin 2017), refined at stride 4, and finished with the
tower's own map at stride 2 for the edges' sake.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from geochange.land_cover import CLASSES


@dataclass(frozen=True, slots=True)
class LandOptions:
    """Sizes of the land head. channels: of the maps from stride 4 to 32; fine: at stride 2."""

    classes: tuple[str, ...] = CLASSES
    channels: int = 64
    fine: int = 32


def _block(inputs: int, outputs: int, size: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU; height and width stay."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, size, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


class LandHead(nn.Module):
    """A tower's pyramid and its fine map -> logits of the classes, at stride 2."""

    def __init__(self, pyramid: Sequence[int], fine: int, options: LandOptions) -> None:
        super().__init__()
        o = options
        self.lateral = nn.ModuleList(_block(size, o.channels, 1) for size in pyramid)
        self.smooth = nn.ModuleList(_block(o.channels, o.channels, 3) for _ in pyramid)
        self.narrow = _block(o.channels, o.fine, 1)
        self.finish = _block(o.fine + fine, o.fine, 3)
        self.classify = nn.Conv2d(o.fine, len(o.classes), 1)

    def forward(
        self, pyramid: Sequence[torch.Tensor], fine: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """From maps, fine to coarse, and the one at stride 2.

        Returns (B, classes, H / 2, W / 2) logits and (B, fine, H / 2, W / 2) what they are read from.
        """
        levels = list(zip(pyramid, self.lateral, self.smooth, strict=True))
        x: torch.Tensor | None = None
        for level, lateral, smooth in reversed(levels):
            own = lateral(level)
            x = smooth(own if x is None else own + _upsample_twice(x))
        assert x is not None
        told = self.finish(torch.cat([_upsample_twice(self.narrow(x)), fine], dim=1))
        return self.classify(told), told


def _upsample_twice(x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, scale_factor=2, mode="bilinear")
