"""Place head: what kind of place a picture shows, in the text space of a CLIP.

It reads the tower of a land network: the mean and the spread of each channel, at all strides. Two layers
lead from there into the space of the CLIP in the same file, whose text tower embeds the names of a
vocabulary: so the vocabulary stays open. Both towers are locked while it learns (Zhai et al., CVPR 2022,
lock one of them). One linear map spreads the texts, which lie close together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

MAX_LOGIT_SCALE = 100.0
"""The largest factor of cosines in the softmax, as in CLIP."""

DROPOUT = 0.2


@dataclass(frozen=True, slots=True)
class PlaceOptions:
    """Sizes of the place head. side: of its pictures, in pixels. hidden: channels between its layers.

    least_score: the least score of a name that is said; see NamingRule.
    """

    side: int = 256
    hidden: int = 160
    least_score: float = 0.0


class PlaceHead(nn.Module):
    """The maps of a tower -> cosines with the embeddings of names, times a factor.

    channels: of the maps. embed: of the embeddings of the CLIP.
    """

    def __init__(self, channels: Sequence[int], embed: int, options: PlaceOptions) -> None:
        super().__init__()
        self.project = nn.Sequential(
            nn.Linear(2 * sum(channels), options.hidden),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(options.hidden, embed),
        )
        self.spread = nn.Linear(embed, embed, bias=False)
        self.logit_scale = nn.Parameter(torch.tensor(2.5))
        nn.init.eye_(self.spread.weight)

    def forward(self, pooled: torch.Tensor, names: torch.Tensor) -> torch.Tensor:
        """From what `pool` returned, and (V, embed) CLIP's embeddings of names -> (B, V) logits."""
        seen = F.normalize(self.project(pooled), dim=1)
        told = F.normalize(self.spread(names), dim=1)
        logits: torch.Tensor = self.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE) * seen @ told.T
        return logits


def pool(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean and the standard deviation of each channel: (B, 2 * channels) float32."""
    wide = [each.float() for each in maps]
    means = [each.mean(dim=(2, 3)) for each in wide]
    spreads = [
        (each - mean[:, :, None, None]).square().mean(dim=(2, 3)).sqrt()
        for each, mean in zip(wide, means, strict=True)
    ]
    return torch.cat([*means, *spreads], dim=1)
