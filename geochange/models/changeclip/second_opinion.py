"""Second opinion: change as a land network sees it, weighed with what another network finds.

What a tower sees of a place at two dates is compared by the cosine of its maps, stride by stride.
Light, season and a camera's stand move these little, things that come and go much: to calls of the
other network they add where both agree, and take where they do not.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

STRIDE = 4
"""Of the map on which opinions are weighed."""

DISTANCE_FLOOR = 0.03
"""Added to a distance before its logarithm: what is as near as that is the same."""

SCALE = 4.0
"""Logits are divided by it, to be of the size of the rest."""

Dates = tuple[torch.Tensor, torch.Tensor]


def evidence(change: torch.Tensor, land: Dates, maps: Sequence[Dates]) -> torch.Tensor:
    """What speaks for change and against it: (B, 2 + maps, H / 4, W / 4) float32.

    change: (B, H, W) logits of the other network. land: (B, classes, H, W) logits of both dates.
    maps: of both dates, of any stride.
    """
    one, two = (date.softmax(dim=1) for date in land)
    moved = (one - two).abs().sum(dim=1, keepdim=True) / 2
    size = [side // STRIDE for side in change.shape[1:]]
    apart = [_resize(distance(*dates), size) for dates in maps]
    known = [F.avg_pool2d(change[:, None] / SCALE, STRIDE), F.avg_pool2d(moved, STRIDE)]
    return torch.cat([*known, torch.log(torch.cat(apart, dim=1) + DISTANCE_FLOOR)], dim=1)


def distance(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """(B, C, h, w) twice -> (B, 1, h, w) float32, one less the cosine of the channels."""
    return 1 - F.cosine_similarity(before.float(), after.float(), dim=1).unsqueeze(1)


def _resize(x: torch.Tensor, size: Sequence[int]) -> torch.Tensor:
    return F.interpolate(x, size=list(size), mode="bilinear")


class SecondOpinion(nn.Module):
    """The other's logits and the evidence -> logits of change."""

    def __init__(self, maps: int, hidden: int) -> None:
        super().__init__()
        self.trust = nn.Parameter(torch.ones(()))
        self.gather = nn.Conv2d(maps + 2, hidden, 3, padding=1)
        self.spread = nn.Conv2d(hidden, hidden, 3, padding=1)
        self.say = nn.Conv2d(hidden, 1, 1)
        # Fresh, it has no opinion.
        for weights in self.say.parameters():
            nn.init.zeros_(weights)

    def forward(self, change: torch.Tensor, told: torch.Tensor) -> torch.Tensor:
        """(B, H, W) logits and `evidence` -> (B, H, W) logits."""
        seen = F.relu(self.spread(F.relu(self.gather(told))))
        return self.trust * change + _resize(self.say(seen), change.shape[1:])[:, 0]
