"""ChangeCLIP: CLIP's two towers, shared by both dates, and a decoder of change.

Dong, Wang, Du, Meng: ChangeCLIP. ISPRS J. Photogramm. Remote Sens. 208 (2024) 53-69,
doi 10.1016/j.isprsjprs.2024.01.004. Modules are named as in the published weights.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from geochange.models.changeclip.context_decoder import ContextDecoder, ContextOptions
from geochange.models.changeclip.decoder import DecodeHead, DecoderOptions
from geochange.models.changeclip.image_tower import ResNetOptions, VisualOptions, build_tower
from geochange.models.changeclip.layers import named_conv, per_band
from geochange.models.changeclip.neck import FeaturePyramid, Fusion, difference, score_map
from geochange.models.changeclip.text_tower import TextOptions, TextTower, last_end

STRIDE = 32
"""Height and width of the input are multiples of this."""
MEAN = (123.675, 116.28, 103.53)
"""ImageNet's mean and standard deviation of RGB in 0-255."""
STD = (58.395, 57.12, 57.375)
GAMMA = 1e-4
"""The initial weight of the context decoder's output."""


@dataclass(frozen=True, slots=True)
class ChangeClipOptions:
    """Every size of the network. The defaults are the published RN50 variant."""

    visual: VisualOptions = field(default_factory=ResNetOptions)
    text: TextOptions = field(default_factory=TextOptions)
    context: ContextOptions = field(default_factory=ContextOptions)
    decoder: DecoderOptions = field(default_factory=DecoderOptions)


@dataclass(frozen=True, slots=True)
class DateView:
    """The features of one date.

    pyramid: four maps, the scores concatenated at the score level. whole: (B, C). places: (B, C, H,
    W). text: (B, 2, C), after the context decoder. scores: (B, 2, H, W).
    """

    pyramid: list[torch.Tensor]
    whole: torch.Tensor
    places: torch.Tensor
    text: torch.Tensor
    scores: torch.Tensor


def normalise(pictures: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) RGB in 0-255, any dtype -> float32, normalised as in training."""
    mean, std = (per_band(numbers, pictures.device) for numbers in (MEAN, STD))
    return (pictures.float() - mean) / std


class ChangeClip(nn.Module):
    """Two pictures and their texts -> logits of "no change" (0) and "change" (1)."""

    def __init__(self, options: ChangeClipOptions) -> None:
        super().__init__()
        visual, decoder = options.visual, options.decoder
        embed, channels = visual.embed, decoder.channels
        self.options = options
        # Batch norm takes its statistics from each date alone, as published, or from both together,
        # as at inference.
        self.dates_together = False
        self.contexts2 = nn.Parameter(torch.empty(1, 1, options.text.contexts, options.text.width))
        self.gamma = nn.Parameter(torch.full((embed,), GAMMA))
        nn.init.trunc_normal_(self.contexts2)
        self.backbone = build_tower(visual)
        self.text_encoder = TextTower(options.text, embed)
        self.context_decoder = ContextDecoder(embed, options.context)
        sizes = [
            size + 2 * (level == visual.score_level) for level, size in enumerate(visual.channels)
        ]
        self.neck = FeaturePyramid([2 * size for size in sizes], channels)
        self.minus_conv = nn.ModuleList(named_conv(size, channels, act=nn.ReLU()) for size in sizes)
        self.channel_att = nn.ModuleList(
            Fusion(3 * channels, channels, decoder.squeeze) for _ in sizes
        )
        self.decode_head = DecodeHead(embed, decoder)

    def lower(self) -> ChangeClip:
        """Compute the heavy parts in bfloat16: image tower, neck, differences, fusion.

        Text tower, context decoder and decoder, a tenth of the work for ViT-B/16, stay in float32:
        their residual streams would cause half of the whole error.
        """
        for part in (self.backbone, self.neck, self.minus_conv, self.channel_att):
            part.bfloat16()
        return self

    def encode_texts(self, tokens: torch.Tensor) -> torch.Tensor:
        """(T, places) tokens -> (T, C) embeddings, computed only up to the last end token.

        Tokens may be on the host: the position of their end is then known without waiting for the
        device.
        """
        cut, contexts = last_end(tokens), self.contexts2[0, 0]
        there = tokens.to(contexts.device, non_blocking=True)
        encoded: torch.Tensor = self.text_encoder(there, contexts, cut)
        return encoded

    def forward(
        self,
        before: torch.Tensor,
        after: torch.Tensor,
        text_before: torch.Tensor,
        text_after: torch.Tensor,
    ) -> torch.Tensor:
        """before, after: (B, 3, H, W) RGB in 0-255, H and W multiples of 32.

        text_before, text_after: (B, 2, C) from `encode_texts`, background first.
        Returns (B, 2, H, W) float32 logits.
        """
        height, width = before.shape[2:]
        if height % STRIDE or width % STRIDE:
            raise ValueError(f"{height} x {width} px: both must be multiples of {STRIDE}")
        one, two = self.view_both(before, after, text_before, text_after)
        logits = self.decode_head(self.fuse(one.pyramid, two.pyramid), one.text, two.text)
        return F.interpolate(logits.float(), size=(height, width), mode="bilinear")

    def view_both(
        self,
        before: torch.Tensor,
        after: torch.Tensor,
        text_before: torch.Tensor,
        text_after: torch.Tensor,
    ) -> tuple[DateView, DateView]:
        """View both dates; shapes as in `forward`."""
        if self.training and not self.dates_together:
            return self.view(before, text_before), self.view(after, text_after)
        both = self.view(torch.cat([before, after]), torch.cat([text_before, text_after]))
        return _half(both, 0), _half(both, 1)

    def view(self, pictures: torch.Tensor, text: torch.Tensor) -> DateView:
        """View one date: (B, 3, H, W) RGB in 0-255 and (B, 2, C) texts."""
        seen = self.backbone(normalise(pictures).to(self.backbone.conv1.weight.dtype))
        whole, places = seen.whole.to(text.dtype), seen.places.to(text.dtype)
        memory = torch.cat([whole.unsqueeze(1), places.flatten(2).transpose(1, 2)], dim=1)
        text = text + self.gamma * self.context_decoder(text, memory)
        scores = score_map(places, text)
        level = self.options.visual.score_level
        pyramid = list(seen.pyramid)
        pyramid[level] = torch.cat([pyramid[level], scores.to(pyramid[level].dtype)], dim=1)
        return DateView(pyramid, whole, places, text, scores)

    def fuse(self, before: list[torch.Tensor], after: list[torch.Tensor]) -> list[torch.Tensor]:
        """Two pyramids -> four maps (B, channels, ...) of what differs and what is there."""
        pairs = list(zip(before, after, strict=True))
        necks = self.neck([torch.cat(pair, dim=1) for pair in pairs])
        fused = []
        for (a, b), neck, minus, fusion in zip(
            pairs, necks, self.minus_conv, self.channel_att, strict=True
        ):
            joined = torch.cat([neck * difference(a, b), minus((a - b).abs()), neck], dim=1)
            fused.append(fusion(joined))
        return fused


def _half(both: DateView, date: int) -> DateView:
    def part(x: torch.Tensor) -> torch.Tensor:
        return x.chunk(2)[date]

    return DateView(
        [part(level) for level in both.pyramid],
        part(both.whole),
        part(both.places),
        part(both.text),
        part(both.scores),
    )
