"""CLIP's text tower with learned context vectors after the start token (CoOp, Zhou 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from geochange.models.weights.openclip import blocks_of, transformer


@dataclass(frozen=True, slots=True)
class TextOptions:
    """places: the most tokens of a text, start and end included. contexts: learned vectors.

    The tower has places + contexts positions (77 in CLIP). embed is that of the image tower.
    """

    layers: int = 12
    width: int = 512
    heads: int = 8
    words: int = 49408
    places: int = 64
    contexts: int = 13


class TextTower(nn.Module):
    """CLIP's causal text transformer; the embedding is read at the end token."""

    def __init__(self, options: TextOptions, embed: int) -> None:
        super().__init__()
        o = options
        self.options = o
        self.token_embedding = nn.Embedding(o.words, o.width)
        self.positional_embedding = nn.Parameter(torch.empty(o.places + o.contexts, o.width))
        self.transformer = transformer(o.width, o.layers, o.heads)
        self.ln_final = nn.LayerNorm(o.width)
        self.text_projection = nn.Parameter(torch.empty(o.width, embed))
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        nn.init.normal_(self.positional_embedding, std=0.01)
        nn.init.normal_(self.text_projection, std=o.width**-0.5)

    def forward(self, tokens: torch.Tensor, contexts: torch.Tensor, cut: int) -> torch.Tensor:
        """Embed texts: (T, places) tokens and (contexts, width) vectors -> (T, embed).

        cut: how many leading tokens to compute, at least up to the end of each text. The tower is
        causal, so later tokens have no effect.
        """
        end = tokens.argmax(dim=1) + self.options.contexts
        words = self.token_embedding(tokens[:, :cut])
        learned = contexts.to(words.dtype).expand(tokens.shape[0], -1, -1)
        x = torch.cat([words[:, :1], learned, words[:, 1:]], dim=1)
        length = x.shape[1]
        x = x + self.positional_embedding[:length]
        mask = x.new_full((length, length), float("-inf")).triu(1)
        for block in blocks_of(self.transformer):
            x = block(x, attn_mask=mask)
        read = x[torch.arange(x.shape[0], device=x.device), end]
        embedded: torch.Tensor = self.ln_final(read) @ self.text_projection
        return embedded


def last_end(tokens: torch.Tensor) -> int:
    """How many leading tokens contain the end token of every text of (T, places)."""
    return int(tokens.argmax(dim=1).max()) + 1
