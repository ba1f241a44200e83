"""Aligner: a small CLIP that is trained from scratch to match pictures and captions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from geochange.errors import OptionError
from geochange.models.changeclip.image_tower import DenseAttentionPool, ResNetOptions
from geochange.models.changeclip.layers import band_tensor
from geochange.models.changeclip.variants import Variant
from geochange.models.prompts import tokenise
from geochange.models.weights.openclip import MEAN, STD, ClipShape, build_clip

MAX_LOGIT_SCALE = 100.0
"""The largest factor of cosines in the softmax, as in CLIP."""


def clip_shape(variant: Variant, side_px: int) -> ClipShape:
    """The shape of a CLIP with the towers of a variant, for pictures of `side_px`.

    Raises OptionError for a variant whose image tower is no ResNet.
    """
    visual, text = variant.naming or variant.options.visual, variant.options.text
    if not isinstance(visual, ResNetOptions):
        raise OptionError("network.start scenes: needs a ResNet; set network.variant small or tiny")
    places = text.places + text.contexts
    return ClipShape(
        visual.embed,
        {
            "layers": visual.blocks,
            "width": visual.width,
            "image_size": side_px,
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


class _WholePool(DenseAttentionPool):
    """The attention pool's global embedding, for pictures of any size."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, channels, H, W) -> (B, embed)."""
        return super().forward(x)[:, 0]


class Aligner(nn.Module):
    """CLIP's two towers in training: a score for each picture and caption.

    Pictures may have any size that 32 divides. Training can begin with small, cheap pictures and go
    on with large ones. The tensors are those of open_clip's CLIP.
    """

    def __init__(self, variant: Variant, side_px: int, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        visual = variant.naming or variant.options.visual
        shape = clip_shape(variant, side_px)
        assert isinstance(visual, ResNetOptions)
        clip: Any = build_clip(shape, quickgelu=True)
        # Readers of the tensors assume that CLIP's heads are 64 wide.
        options = replace(visual, grid=side_px // 32, heads=visual.channels[-1] // 64)
        clip.visual.attnpool = _WholePool(visual.channels[-1], options)
        self.network = clip

    def forward(self, pictures: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
        """(B, 3, S, S) RGB in 0-255 and (T, places) tokens -> (B, T) logits."""
        mean, std = (band_tensor(numbers, pictures.device) for numbers in (MEAN, STD))
        seen = F.normalize(self.network.visual((pictures / 255 - mean) / std).float(), dim=1)
        # Texts are short: bfloat16 gains nothing for them and costs time.
        with torch.autocast(pictures.device.type, enabled=False):
            told = self.network.encode_text(tokens, normalize=True)
        scale = self.network.logit_scale.exp().clamp(max=MAX_LOGIT_SCALE)
        logits: torch.Tensor = scale * seen @ told.T
        return logits


def caption_tokens(captions: Sequence[str], places: int) -> torch.Tensor:
    """(caption, places) tokens."""
    return torch.tensor([tokenise(caption, places) for caption in captions])


@torch.inference_mode()
def caption_logits(
    aligner: nn.Module, pictures: torch.Tensor, tokens: torch.Tensor, batch: int
) -> torch.Tensor:
    """(B, 3, S, S) uint8 pictures and captions' tokens -> (B, T) logits on the host."""
    learning, device = aligner.training, next(aligner.parameters()).device
    aligner.eval()
    there = tokens.to(device)
    parts = [aligner(part.to(device).float(), there).cpu() for part in pictures.split(batch)]
    aligner.train(learning)
    return torch.cat(parts)
