"""Aligner: a small CLIP as it is trained from nothing, pictures against captions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from geochange.errors import OptionError
from geochange.models.clip_visual import ResNetOptions
from geochange.models.layers import per_band
from geochange.models.openclip import MEAN, STD, ClipShape, build_clip
from geochange.models.prompts import tokenise
from geochange.models.variants import Variant

LARGEST_SCALE = 100.0
"""Of cosines in the softmax, as CLIP has it."""


def clip_shape(variant: Variant) -> ClipShape:
    """The CLIP whose towers a variant's are: read_shape of its tensors gives the same.

    Raises OptionError for a variant whose image tower is no ResNet.
    """
    visual, text = variant.options.visual, variant.options.text
    if not isinstance(visual, ResNetOptions):
        raise OptionError("network.start scenes: needs a ResNet; say network.variant small or tiny")
    places = text.places + text.contexts
    return ClipShape(
        visual.embed,
        {
            "layers": visual.blocks,
            "width": visual.width,
            "image_size": visual.grid * 32,
            "patch_size": None,
        },
        {
            "context_length": places,
            "vocab_size": text.words,
            "width": text.width,
            "heads": text.heads,
            "layers": text.layers,
        },
    )


class Aligner(nn.Module):
    """CLIP's two towers as they are trained: how well each caption fits each picture."""

    def __init__(self, shape: ClipShape) -> None:
        super().__init__()
        self.network: Any = build_clip(shape, quickgelu=True)

    def forward(self, pictures: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) RGB in 0-255 and (T, places) tokens -> (B, T) logits."""
        mean, std = (per_band(numbers, pictures.device) for numbers in (MEAN, STD))
        seen = F.normalize(self.network.visual((pictures / 255 - mean) / std).float(), dim=1)
        # Short as they are, texts gain nothing from smaller numbers, and lose time to them.
        with torch.autocast(pictures.device.type, enabled=False):
            told = self.network.encode_text(tokens, normalize=True)
        scale = self.network.logit_scale.exp().clamp(max=LARGEST_SCALE)
        logits: torch.Tensor = scale * seen @ told.T
        return logits


def caption_tokens(captions: Sequence[str], places: int) -> torch.Tensor:
    """(caption, places) tokens."""
    return torch.tensor([tokenise(caption, places) for caption in captions])
