"""Place head: what kind of place a picture shows, in the text space of a CLIP.

It reads the tower of a land network: a linear map from the mean and the spread of each channel, at all
strides, to the embedding of the CLIP in the same file. The names of a vocabulary, which that CLIP's text
tower embeds, stay open. A linear map into a given text space is what locked-text tuning learns (Zhai et
al., CVPR 2022, LiT, with the other tower locked).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

MAX_LOGIT_SCALE = 100.0
"""The largest factor of cosines in the softmax, as in CLIP."""


class PlaceHead(nn.Module):
    """The maps of a tower -> an embedding of length 1, and the factor of cosines.

    channels: of the maps. embed: of the embedding.
    """

    def __init__(self, channels: Sequence[int], embed: int) -> None:
        super().__init__()
        self.project = nn.Linear(2 * sum(channels), embed)
        self.logit_scale = nn.Parameter(torch.zeros(()))

    @property
    def scale(self) -> torch.Tensor:
        """The factor of cosines."""
        return self.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)

    def forward(self, maps: Sequence[torch.Tensor]) -> torch.Tensor:
        """(B, channels, h, w) of each stride -> (B, embed) float32."""
        return self.embed(pool(maps))

    def embed(self, pooled: torch.Tensor) -> torch.Tensor:
        """As `forward`, from what `pool` returned."""
        return F.normalize(self.project(pooled), dim=1)

    def logits(self, embedding: torch.Tensor, names: torch.Tensor) -> torch.Tensor:
        """(B, embed), and (V, embed) embeddings of names of length 1 -> (B, V)."""
        return self.scale * embedding @ names.T


def pool(maps: Sequence[torch.Tensor]) -> torch.Tensor:
    """The mean and the standard deviation of each channel: (B, 2 * channels) float32."""
    wide = [each.float() for each in maps]
    means = [each.mean(dim=(2, 3)) for each in wide]
    spreads = [
        (each - mean[:, :, None, None]).square().mean(dim=(2, 3)).sqrt()
        for each, mean in zip(wide, means, strict=True)
    ]
    return torch.cat([*means, *spreads], dim=1)
