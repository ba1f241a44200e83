"""Prompts inside a graph: the best names of each picture become tokens without Python."""

from __future__ import annotations

import random

import torch
from torch import nn

from geochange.errors import InputError
from geochange.models.prompts import (
    END,
    FOREGROUND,
    NAMES_PER_CHIP,
    START,
    Names,
    best_names,
    foreground_tokens,
)
from geochange.models.weights.openclip import bpe_encoder

TRIED = 64
"""How many orders of names are compared with the tokens that the encoder gives for them."""


class NamePrompter(nn.Module):
    """Class scores -> the tokens of the foreground text with the nine best names.

    The tokens of a text are those of its parts one after the other, which is checked: so the parts
    are constants, and only their places are computed.
    """

    pieces: torch.Tensor
    lengths: torch.Tensor
    head: torch.Tensor

    def __init__(self, vocabulary: Names, places: int) -> None:
        super().__init__()
        self.places = places
        comma = bpe_encoder()(",")
        parts = [[*bpe_encoder()(name), *comma] for name in vocabulary]
        longest = max(map(len, parts))
        self.comma = len(comma)
        self.register_buffer(
            "pieces", torch.tensor([part + [0] * (longest - len(part)) for part in parts])
        )
        self.register_buffer("lengths", torch.tensor([len(part) for part in parts]))
        self.register_buffer("head", torch.tensor([START, *bpe_encoder()(FOREGROUND.strip())]))
        self._check(vocabulary)

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        """(B, V) scores -> (B, places) tokens; of equal scores the first of the vocabulary leads."""
        best = scores.topk(NAMES_PER_CHIP, dim=1).indices
        lengths = self.lengths[best]
        stops = self.head.shape[0] + lengths.cumsum(dim=1)
        # A text ends without a comma. Names that do not fit with its end are left out, but the first.
        ends = stops - self.comma
        fits = ends + 1 <= self.places
        fits = fits | (torch.arange(NAMES_PER_CHIP) == 0)
        end = (ends * fits).amax(dim=1).clamp(max=self.places - 1)
        within = torch.arange(self.pieces.shape[1])
        place = (stops - lengths)[:, :, None] + within
        held = (within < lengths[:, :, None]) & fits[:, :, None] & (place < end[:, None, None])
        words = (self.pieces[best] * held).flatten(1)
        row = torch.arange(self.places)
        here = (place.flatten(1)[:, None, :] == row[None, :, None]) & held.flatten(1)[:, None, :]
        tokens = (words[:, None, :] * here).sum(dim=2) + END * (row[None, :] == end[:, None])
        filled = nn.functional.pad(self.head, (0, self.places - self.head.shape[0]))
        told: torch.Tensor = tokens + filled
        return told

    def _check(self, vocabulary: Names) -> None:
        """Refuse names whose tokens depend on those beside them, such as some with marks."""
        draw = random.Random(0)
        scores = torch.zeros(TRIED, len(vocabulary))
        for row in scores:
            for rank, name in enumerate(draw.sample(range(len(vocabulary)), NAMES_PER_CHIP)):
                row[name] = NAMES_PER_CHIP - rank
        for row, tokens in zip(scores, self(scores).tolist(), strict=True):
            names = best_names(row[None], vocabulary)[0]
            if foreground_tokens(names, self.places) != tokens:
                raise InputError(
                    f"the names {', '.join(names)[:80]} cannot be put together inside a graph; export "
                    "with --prompts fixed, or with other names (--vocabulary)"
                )
