"""Sparse land inference: a land network runs only where another network finds change likely."""

from __future__ import annotations

import math

import torch

from geochange.land_cover import LIKELY_CHANGE
from geochange.models.changeclip.land_cover_network import LandNetwork
from geochange.models.changeclip.network import pad
from geochange.models.inference.batch import Batch
from geochange.models.inference.chip_parts import ChipPart, parts_of
from geochange.models.land_cover_logits import LandLogits


class SparseLandInference:
    """Looks at parts of chips one by one on a CPU, which costs nothing and leaves quiet ones out.

    On a GPU it looks at all: to choose, the host would have to wait for the device. Either way what
    it says of a chip depends on that chip alone.

    likely: the probability that one pixel of a part must reach for the part to be looked at.
    """

    def __init__(self, network: LandNetwork, likely: float = LIKELY_CHANGE) -> None:
        self.network = network.requires_grad_(False)
        self.likely = math.log(likely / (1 - likely))

    @property
    def classes(self) -> tuple[str, ...]:
        """What it tells apart."""
        return self.network.options.head.classes

    def predict(
        self, batch: Batch, change: torch.Tensor, opinion: bool = True
    ) -> tuple[torch.Tensor, LandLogits]:
        """Logits of change as it sees them, and what stands there; NaN where it did not look.

        change: (B, H, W) logits of the other network, which stay as they are there, and everywhere
        where no `opinion` is wanted.
        """
        height, width = change.shape[1:]
        size = (len(change), len(self.classes), height, width)
        land = change.new_full(size, torch.nan), change.new_full(size, torch.nan)
        said = change.clone()
        for part in parts_of(height, width):
            there = (slice(None), *part.inner)
            likely = ((change[there] >= self.likely) & batch.valid[there]).flatten(1).any(dim=1)
            for chips in self._likely_chips(likely):
                dates, logits = self._predict_part(batch[chips], change[chips], part, opinion)
                asked = likely[chips, None, None]
                said[chips][:, *part.inner] = torch.where(asked, logits, change[chips][there])
                for date, seen in zip(land, dates, strict=True):
                    date[chips][..., *part.inner] = seen.masked_fill(~asked[:, None], torch.nan)
        return said, land

    def classify_all(self, batch: Batch) -> LandLogits:
        """What stands in every chip, seen as one."""
        height, width = batch.valid.shape[1:]
        seen = self.network(pad(torch.cat([batch.before, batch.after])))
        before, after = seen[..., :height, :width].chunk(2)
        return before, after

    @staticmethod
    def _likely_chips(likely: torch.Tensor) -> list[slice]:
        if likely.device.type != "cpu":
            return [slice(0, len(likely))]
        return [slice(i, i + 1) for i in torch.nonzero(likely).flatten().tolist()]

    def _predict_part(
        self, batch: Batch, change: torch.Tensor, part: ChipPart, opinion: bool
    ) -> tuple[LandLogits, torch.Tensor]:
        """What it says of a part of some chips."""
        before, after = (pad(date[..., *part.outer]) for date in (batch.before, batch.after))
        whole = pad(change[:, None, *part.outer])[:, 0]
        land, said = self.network.predict(before, after, whole, opinion)
        one, two = (date[..., *part.within] for date in land)
        return (one, two), said[:, *part.within]
