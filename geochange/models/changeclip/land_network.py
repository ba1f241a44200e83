"""Land network: what stands on each pixel of one date, by a tower and a head of its own.

It stands beside a ChangeCLIP whose own tower has no land head, in the same checkpoint, and looks
only where that finds change likely. It learns as part of another ChangeCLIP, `lite`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from geochange.models.changeclip.efficientnet import EfficientNetOptions, EfficientNetTrunk
from geochange.models.changeclip.land_head import LandHead, LandOptions
from geochange.models.changeclip.network import normalise


@dataclass(frozen=True, slots=True)
class LandNetworkOptions:
    """Sizes of tower and head; the tower has no embedding here."""

    visual: EfficientNetOptions = field(default_factory=EfficientNetOptions)
    head: LandOptions = field(default_factory=LandOptions)


class LandNetwork(nn.Module):
    """A picture -> logits of what stands on each of its pixels."""

    def __init__(self, options: LandNetworkOptions) -> None:
        super().__init__()
        visual = options.visual
        self.options = options
        self.backbone = EfficientNetTrunk(visual)
        self.land_head = LandHead(visual.channels, visual.fine_channels, options.head)

    def lower(self) -> LandNetwork:
        """Compute in bfloat16."""
        return self.bfloat16()

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) RGB in 0-255, H and W multiples of 32 -> (B, classes, H, W) float32."""
        x = normalise(pictures, self.options.visual).to(self.backbone.conv1.weight.dtype)
        fine, *pyramid = self.backbone.maps(x.contiguous(memory_format=torch.channels_last))
        logits, _ = self.land_head(pyramid, fine)
        return F.interpolate(logits.float(), size=pictures.shape[2:], mode="bilinear")


def land_tensors(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Those of a ChangeCLIP with a land head that a LandNetwork has, too."""
    parts = ("backbone.", "land_head.")
    own = {name: x for name, x in tensors.items() if name.startswith(parts)}
    return {name: x for name, x in own.items() if not name.startswith("backbone.embed.")}
