"""Land companion: a land network that looks at a chip where another network finds change likely."""

from __future__ import annotations

import math

import torch

from geochange.land import LIKELY
from geochange.models.changeclip.land_network import LandNetwork
from geochange.models.changeclip.network import pad
from geochange.models.inference.batch import Batch
from geochange.models.land_logits import LandLogits


class LandCompanion:
    """Looks at chips one by one on a CPU, which costs nothing there and leaves quiet ones out.

    On a GPU it looks at all of a batch: to choose, the host would have to wait for the device.
    Either way the answer about a chip depends on that chip alone.

    likely: the probability that one pixel must reach for its chip to be looked at.
    """

    def __init__(self, network: LandNetwork, likely: float = LIKELY) -> None:
        self.network = network.requires_grad_(False)
        self.likely = math.log(likely / (1 - likely))

    @property
    def classes(self) -> tuple[str, ...]:
        """What it tells apart."""
        return self.network.options.head.classes

    def see(self, batch: Batch, change: torch.Tensor) -> LandLogits:
        """What stands there; NaN in a chip where no pixel of `change`, (B, H, W) logits, is likely."""
        likely = ((change >= self.likely) & batch.valid).flatten(1).any(dim=1)
        if change.device.type != "cpu":
            unseen = ~likely[:, None, None, None]
            before, after = self.see_all(batch)
            return before.masked_fill(unseen, torch.nan), after.masked_fill(unseen, torch.nan)
        size = (len(batch), len(self.classes), *change.shape[1:])
        before, after = (torch.full(size, torch.nan) for _ in range(2))
        for i in torch.nonzero(likely).flatten().tolist():
            before[i : i + 1], after[i : i + 1] = self.see_all(batch[i : i + 1])
        return before, after

    def see_all(self, batch: Batch) -> LandLogits:
        """What stands in every chip."""
        height, width = batch.valid.shape[1:]
        seen = self.network(pad(torch.cat([batch.before, batch.after])))
        before, after = seen[..., :height, :width].chunk(2)
        return before, after
