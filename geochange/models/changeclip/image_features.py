"""ImageFeatures: what an image tower saw of one date."""

from __future__ import annotations

from dataclasses import dataclass

import torch


@dataclass(frozen=True, slots=True)
class ImageFeatures:
    """What a tower saw. C: the embedding's channels, H and W: the size of the score level.

    pyramid: four maps (B, channels, height / s, width / s) for s = 4, 8, 16, 32.
    global_embedding: (B, C), the image's embedding. places: (B, C, H, W), that of each place.
    fine: (B, channels, height / 2, width / 2), of a tower that has such a map.
    """

    pyramid: list[torch.Tensor]
    global_embedding: torch.Tensor
    places: torch.Tensor
    fine: torch.Tensor | None = None
