"""Land network: what stands on each pixel of one date, by a tower and a head of its own.

It stands beside a ChangeCLIP whose own tower has no land head, in the same checkpoint, and looks
only where that finds change likely. It learns as part of another ChangeCLIP, `lite`. Of two dates it
may have an opinion whether they differ, too, and of one the kind of place.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from geochange.models.changeclip.efficientnet import EfficientNetOptions, EfficientNetTrunk
from geochange.models.changeclip.land_cover_head import LandHead, LandOptions
from geochange.models.changeclip.network import normalise
from geochange.models.changeclip.second_opinion import Dates, SecondOpinion, evidence
from geochange.models.place_head import PlaceHead, PlaceOptions, pool


@dataclass(frozen=True, slots=True)
class LandNetworkOptions:
    """Sizes of tower and head; `visual.embed` is that of the place head.

    opinion: channels of the second opinion of change; 0 where it has none. place: sizes of the place
    head; None where it has none.
    """

    visual: EfficientNetOptions = field(default_factory=EfficientNetOptions)
    head: LandOptions = field(default_factory=LandOptions)
    opinion: int = 0
    place: PlaceOptions | None = None


class LandNetwork(nn.Module):
    """A picture -> logits of what stands on each of its pixels."""

    def __init__(self, options: LandNetworkOptions) -> None:
        super().__init__()
        visual = options.visual
        self.options = options
        self.backbone = EfficientNetTrunk(visual)
        self.land_head = LandHead(visual.channels, visual.fine_channels, options.head)
        maps = 1 + len(visual.channels)
        self.opinion = SecondOpinion(maps, options.opinion) if options.opinion else None
        channels = (visual.fine_channels, *visual.channels)
        place = options.place
        self.place = None if place is None else PlaceHead(channels, visual.embed, place)

    def lower(self) -> LandNetwork:
        """Compute the heavy parts in bfloat16; what is small stays in float32."""
        for part in (self.backbone, self.land_head):
            part.bfloat16()
        return self

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) RGB in 0-255, H and W multiples of 32 -> (B, classes, H, W) float32."""
        return self._features(pictures)[0]

    def predict(
        self,
        before: torch.Tensor,
        after: torch.Tensor,
        change: torch.Tensor,
        opinion: bool = True,
    ) -> tuple[Dates, torch.Tensor]:
        """What stands there at both dates, and the logits of change as it sees them.

        before, after: as of `forward`. change: (B, H, W) logits of the other network, which come
        back as they are where it has no opinion, or none is wanted.
        """
        if self.opinion is None or not opinion:
            return _split_dates(self(torch.cat([before, after]))), change
        land, told = self.compare(before, after, change)
        return land, self.opinion(change, told)

    def compare(
        self, before: torch.Tensor, after: torch.Tensor, change: torch.Tensor
    ) -> tuple[Dates, torch.Tensor]:
        """What stands there at both dates, and what its opinion is read from; see `predict`."""
        logits, maps = self._features(torch.cat([before, after]))
        land = _split_dates(logits)
        return land, evidence(change, land, [_split_dates(each) for each in maps])

    def _features(self, pictures: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Logits, and the maps that tell one date from another."""
        fine, *pyramid = self._maps(pictures)
        logits, told = self.land_head(pyramid, fine)
        size = pictures.shape[2:]
        return F.interpolate(logits.float(), size=size, mode="bilinear"), [told, *pyramid]

    def pooled(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) as of `forward` -> (B, C) float32, what the place head reads."""
        return pool(self._maps(pictures))

    def _maps(self, pictures: torch.Tensor) -> list[torch.Tensor]:
        x = normalise(pictures, self.options.visual).to(self.backbone.conv1.weight.dtype)
        return self.backbone.maps(x.contiguous(memory_format=torch.channels_last))


def _split_dates(x: torch.Tensor) -> Dates:
    before, after = x.chunk(2)
    return before, after


def land_tensors(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Those of a ChangeCLIP with a land head that a LandNetwork has, too."""
    parts = ("backbone.", "land_head.")
    own = {name: x for name, x in tensors.items() if name.startswith(parts)}
    return {name: x for name, x in own.items() if not name.startswith("backbone.embed.")}


def without_place(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Those of a LandNetwork but for its place head, which belongs to one CLIP."""
    return {name: x for name, x in tensors.items() if not name.startswith("place.")}
