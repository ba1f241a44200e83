"""Zero-shot scoring: how well each class name of a vocabulary fits a chip, by a frozen CLIP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from geochange.models.changeclip.layers import band_tensor
from geochange.models.prompts import tokenise
from geochange.models.weights.openclip import MEAN, STD, build_clip, read_shape
from geochange.models.weights.state_dict_formats import Tensors, load_into

NAMES_PER_BATCH = 256
"""The number of names that are embedded at once."""


def square(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """The centre of pictures whose shorter side is resized to `size` px, on the device.

    Resizing is bicubic, antialiased, and rounded like 8-bit values. pictures: (B, 3, H, W) in 0-255.
    Returns (B, 3, size, size) float32 in 0-255.
    """
    height, width = pictures.shape[2:]
    scale = size / min(height, width)
    target = tuple(max(size, int(side * scale)) for side in (height, width))
    x = pictures.float()
    if target != (height, width):
        x = F.interpolate(x, size=target, mode="bicubic", antialias=True).clamp(0, 255).round()
    top, left = (round((side - size) / 2) for side in target)
    return x[:, :, top : top + size, left : left + size]


def preprocess(pictures: torch.Tensor, size: int) -> torch.Tensor:
    """CLIP's own preprocessing, on the device: `square`, normalised.

    pictures: (B, 3, H, W) RGB in 0-255. Returns (B, 3, size, size) float32.
    """
    x = square(pictures, size) / 255
    mean, std = (band_tensor(numbers, x.device) for numbers in (MEAN, STD))
    return (x - mean) / std


class ClipScorer(nn.Module):
    """A CLIP image tower with the embedded names of a vocabulary.

    The names are embedded once, without a sentence around them. Then the text tower is freed.
    Source: ChangeCLIP, sec. 3.2 (and CLIP, Radford 2021, sec. 3.1.2).
    """

    classes: torch.Tensor
    scale: torch.Tensor

    def __init__(self, clip: nn.Module, vocabulary: Sequence[str], size: int) -> None:
        super().__init__()
        model: Any = clip.eval().requires_grad_(False)
        places = model.context_length
        tokens = torch.tensor([tokenise(name, places) for name in vocabulary])
        with torch.no_grad():
            parts = [
                model.encode_text(part, normalize=True) for part in tokens.split(NAMES_PER_BATCH)
            ]
            classes = torch.cat(parts)
            self.register_buffer("classes", classes, persistent=False)
            self.register_buffer("scale", model.logit_scale.exp(), persistent=False)
        self.visual = model.visual
        self.size = size

    def lower(self) -> ClipScorer:
        """Run the image tower in bfloat16; similarities stay in float32."""
        self.visual.bfloat16()
        return self

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        """(B, 3, H, W) RGB in 0-255 -> (B, V) float32 probabilities over the vocabulary."""
        x = preprocess(pictures, self.size).to(next(self.visual.parameters()).dtype)
        seen = F.normalize(self.visual(x).float(), dim=1)
        return (self.scale * seen @ self.classes.T).softmax(dim=1)


def build_scorer(tensors: Tensors, quickgelu: bool, vocabulary: Sequence[str]) -> ClipScorer:
    """A scorer from CLIP's weights. Raises InputError if they do not fit."""
    shape = read_shape(tensors)
    clip = build_clip(shape, quickgelu)
    load_into(clip, tensors)
    return ClipScorer(clip, vocabulary, int(shape.vision["image_size"]))
