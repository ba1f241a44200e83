"""The scorers of a detector: the CLIP that prompts its network, and the place head that names places.

The network keeps the prompts of the CLIP that it was trained with, so its logits do not depend on a place
head.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from geochange.errors import InputError, OptionError
from geochange.models.changeclip.land_cover_network import LandNetwork
from geochange.models.clip_scorer import ClipScorer, build_scorer, square
from geochange.models.prompts import Names, check_names
from geochange.models.weights.checkpoint import DEFAULT_CLIP, Checkpoint, read_clip

if TYPE_CHECKING:
    from geochange.models.detector import DetectorSpec

Scores = tuple[torch.Tensor, torch.Tensor]


class PlaceScorer(nn.Module):
    """A land network with a place head, and the embeddings of the names of a vocabulary."""

    names: torch.Tensor

    def __init__(self, network: LandNetwork, names: torch.Tensor) -> None:
        super().__init__()
        if network.place is None or network.options.place is None:
            raise ValueError("a land network without a place head")
        self.network = network
        self.head = network.place
        self.options = network.options.place
        self.register_buffer("names", names, persistent=False)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) RGB in 0-255 -> (B, V) float32 probabilities over the vocabulary."""
        return self.of_squares(square(pictures, self.options.side))

    def of_squares(self, pictures: torch.Tensor) -> torch.Tensor:
        """The same of pictures that have the head's own size."""
        scores: torch.Tensor = self.head(self.network.pooled(pictures), self.names).softmax(dim=1)
        return scores

    def likely(
        self, dates: Scores, change: torch.Tensor, valid: torch.Tensor, least: float
    ) -> Scores:
        """The scores at both dates, NaN for a chip no pixel of which is likely changed.

        dates: (B, 3, H, W) twice. change: (B, H, W) logits. least: the probability of change from which
        on a chip is looked at. On a CPU other chips cost nothing. On a GPU all are looked at: to choose,
        the host would have to wait for the device.
        """
        asked = ((change >= math.log(least / (1 - least))) & valid).flatten(1).any(dim=1)
        if change.device.type == "cpu":
            looked = torch.nonzero(asked).flatten().tolist()
            parts = [slice(i, i + 1) for i in looked]
        else:
            parts = [slice(0, len(change))]
        one, two = (change.new_full((len(change), len(self.names)), torch.nan) for _ in dates)
        for part in parts:
            before, after = self(torch.cat([date[part] for date in dates])).chunk(2)
            one[part], two[part] = before, after
        return tuple(s.masked_fill(~asked[:, None], torch.nan) for s in (one, two))  # type: ignore[return-value]


def build_clip_scorer(spec: DetectorSpec, checkpoint: Checkpoint) -> ClipScorer | None:
    """The CLIP of a spec with the names of its vocabulary; None with fixed prompts.

    Raises InputError, and OptionError for bands that CLIP cannot see.
    """
    card = checkpoint.card
    if (spec.prompts or card.prompts) == "fixed":
        return None
    if card.options.bands and not card.options.bands.rgb:
        raise OptionError(
            f"{spec.model}: CLIP needs red, green and blue to name classes, and its bands have "
            "none; give --prompts fixed"
        )
    own = None if spec.clip else checkpoint.own_clip()
    clip = own or read_clip(spec.clip or DEFAULT_CLIP)
    return build_scorer(clip.tensors, clip.quickgelu, _names(spec, checkpoint))


def place_scorer(
    spec: DetectorSpec, clip: ClipScorer | None, land: LandNetwork | None
) -> PlaceScorer | None:
    """What names places in the text space of the checkpoint's own CLIP; None without a place head."""
    if land is None or land.place is None or clip is None or spec.clip is not None:
        return None
    return PlaceScorer(land, clip.classes)


def _names(spec: DetectorSpec, checkpoint: Checkpoint) -> Names:
    """The names from which CLIP chooses. Raises InputError if the card has too few."""
    try:
        return check_names(spec.vocabulary or checkpoint.card.vocabulary)
    except InputError as error:
        raise InputError(f"{spec.model}: {error}; give other names with --vocabulary") from error
