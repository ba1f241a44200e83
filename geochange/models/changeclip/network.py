"""ChangeCLIP: CLIP's two towers, shared by both dates, and a decoder of change.

Dong, Wang, Du, Meng: ChangeCLIP. ISPRS J. Photogramm. Remote Sens. 208 (2024) 53-69,
doi 10.1016/j.isprsjprs.2024.01.004. Modules are named as in the published weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.nn import functional as F

from geochange.models.bands.first_convolution import set_inputs
from geochange.models.bands.input_bands import InputBands
from geochange.models.changeclip.context_decoder import ContextDecoder, ContextOptions
from geochange.models.changeclip.decoder import DecodeHead, DecoderOptions
from geochange.models.changeclip.efficientnet import EfficientNetOptions
from geochange.models.changeclip.image_tower import ResNetOptions, VisualOptions, build_tower
from geochange.models.changeclip.land_cover_head import LandHead, LandOptions
from geochange.models.changeclip.layers import band_tensor, named_conv
from geochange.models.changeclip.neck import FeaturePyramid, Fusion, difference, score_map
from geochange.models.changeclip.text_tower import TextOptions, TextTower, last_end

STRIDE = 32
"""Height and width of the network's input are multiples of this."""
TEXTS, BANDS = 2, 3
"""Texts of a date, whose score maps join the pyramid; bands of a picture."""
DEVIATION_FLOOR = 8.0
"""Of 255, added to a picture's deviation: an even picture holds nothing that is worth enlarging."""
FARTHEST = 10.0
"""Values of a band farther from its mean, in its deviations, are no measurement."""
INITIAL_GAMMA = 1e-4
"""The initial weight of the context decoder's output."""


@dataclass(frozen=True, slots=True)
class ChangeClipOptions:
    """Every size of the network. The defaults are the published RN50 variant.

    land: of the head that sees what stands on each pixel of a date; None where there is none, as
    published. bands: what a date consists of; None for RGB in 0-255.
    """

    visual: VisualOptions = field(default_factory=ResNetOptions)
    text: TextOptions = field(default_factory=TextOptions)
    context: ContextOptions = field(default_factory=ContextOptions)
    decoder: DecoderOptions = field(default_factory=DecoderOptions)
    land: LandOptions | None = None
    bands: InputBands | None = None

    @property
    def inputs(self) -> int:
        """The number of bands of a date."""
        return BANDS if self.bands is None else len(self.bands)


@dataclass(frozen=True, slots=True)
class DateFeatures:
    """The features of one date.

    pyramid: four maps, the scores appended at the score level, and what the land head sees at the
    finest; global_embedding: (B, C); places: (B, C, H, W); text: (B, 2, C), told what the image
    shows; scores: (B, 2, H, W); land: (B, classes, height / 2, width / 2) logits, of a network
    with a land head.
    """

    pyramid: list[torch.Tensor]
    global_embedding: torch.Tensor
    places: torch.Tensor
    text: torch.Tensor
    scores: torch.Tensor
    land: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What the network says of two dates.

    change: (B, 2, H, W) float32 logits of "no change" and "change". land: (B, classes, H, W)
    float32 logits of what stands there before and after, of a network with a land head.
    """

    change: torch.Tensor
    land: tuple[torch.Tensor, torch.Tensor] | None = None

    def cut(self, height: int, width: int) -> Answer:
        """The first rows and columns, which padding lies behind."""
        part = slice(height), slice(width)
        land = self.land and (self.land[0][..., *part], self.land[1][..., *part])
        return Answer(self.change[..., *part], land)


def concatenate_answers(answers: Sequence[Answer]) -> Answer:
    """Answers about some chips and about others, as one."""
    change = torch.cat([each.change for each in answers])
    land = [each.land for each in answers if each.land is not None]
    if not land:
        return Answer(change)
    before, after = zip(*land, strict=True)
    return Answer(change, (torch.cat(before), torch.cat(after)))


def pad(pictures: torch.Tensor) -> torch.Tensor:
    """Repeat the last row and column until both sides are multiples of 32.

    Both dates are padded alike, so the padding shows no change that the border does not.
    """
    down, right = (-side % STRIDE for side in pictures.shape[2:])
    if not down and not right:
        return pictures
    return F.pad(pictures.float(), (0, right, 0, down), mode="replicate")


def normalise(pictures: torch.Tensor, known: VisualOptions | InputBands) -> torch.Tensor:
    """(B, bands, H, W) of any dtype -> float32 as the tower was trained on; bands cut at FARTHEST."""
    mean, std = (band_tensor(numbers, pictures.device) for numbers in (known.mean, known.std))
    x = (pictures.float() - mean) / std
    return x.clamp(-FARTHEST, FARTHEST) if isinstance(known, InputBands) else x


def matched_colours(pictures: torch.Tensor) -> torch.Tensor:
    """(B, 3, H, W) RGB -> (B, 3, H / 4, W / 4) float32, each band in its picture's deviations.

    Light and haze that lie on a whole picture are then the same at both dates.
    """
    x = F.avg_pool2d(pictures.float(), 4)
    mean, deviation = x.mean(dim=(2, 3), keepdim=True), x.std(dim=(2, 3), keepdim=True)
    return (x - mean) / (deviation + DEVIATION_FLOOR)


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
        self.gamma = nn.Parameter(torch.full((embed,), INITIAL_GAMMA))
        nn.init.trunc_normal_(self.contexts2)
        self.backbone = build_tower(visual)
        set_inputs(self.backbone.conv1, options.inputs)
        self.text_encoder = TextTower(options.text, embed)
        self.context_decoder = ContextDecoder(embed, options.context)
        self.land_head = _land_head(options)
        sizes = _pyramid_channels(options)
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
        for part in (self.backbone, self.land_head, self.neck, self.minus_conv, self.channel_att):
            if part is not None:
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
        """before, after: (B, bands, H, W), RGB in 0-255 or as the card says; H, W multiples of 32.

        text_before, text_after: (B, 2, C) from `encode_texts`, background first.
        Returns (B, 2, H, W) float32 logits.
        """
        return self.answer(before, after, text_before, text_after).change

    def answer(
        self,
        before: torch.Tensor,
        after: torch.Tensor,
        text_before: torch.Tensor,
        text_after: torch.Tensor,
    ) -> Answer:
        """All that the network says; arguments as of `forward`."""
        height, width = before.shape[2:]
        if height % STRIDE or width % STRIDE:
            raise ValueError(f"{height} x {width} px: both must be multiples of {STRIDE}")
        one, two = self.encode_dates(before, after, text_before, text_after)
        return self.decide(one, two, height, width)

    def decide(self, one: DateFeatures, two: DateFeatures, height: int, width: int) -> Answer:
        """All that the network says of two dates, whose pictures have this size."""
        logits = self.decode_head(self.fuse(one.pyramid, two.pyramid), one.text, two.text)
        change = _upsample_logits(logits, height, width)
        if one.land is None or two.land is None:
            return Answer(change)
        before, after = (_upsample_logits(x, height, width) for x in (one.land, two.land))
        return Answer(change, (before, after))

    def encode_dates(
        self,
        before: torch.Tensor,
        after: torch.Tensor,
        text_before: torch.Tensor,
        text_after: torch.Tensor,
    ) -> tuple[DateFeatures, DateFeatures]:
        """View both dates; shapes as in `forward`."""
        if self.training and not self.dates_together:
            return self.view(before, text_before), self.view(after, text_after)
        both = self.view(torch.cat([before, after]), torch.cat([text_before, text_after]))
        return _date_features(both, 0), _date_features(both, 1)

    def view(self, pictures: torch.Tensor, text: torch.Tensor) -> DateFeatures:
        """View one date: (B, bands, H, W) as in `normalise`, and (B, 2, C) texts."""
        visual, bands = self.options.visual, self.options.bands
        x = normalise(pictures, bands or visual).to(self.backbone.conv1.weight.dtype)
        seen = self.backbone(x)
        whole, places = seen.global_embedding.to(text.dtype), seen.places.to(text.dtype)
        memory = torch.cat([whole.unsqueeze(1), places.flatten(2).transpose(1, 2)], dim=1)
        text = text + self.gamma * self.context_decoder(text, memory)
        scores = score_map(places, text)
        pyramid, land = list(seen.pyramid), None
        if self.land_head is not None:
            land, told = self.land_head(seen.pyramid, seen.fine)
            known = [F.avg_pool2d(land.softmax(dim=1), 2), F.avg_pool2d(told, 2)]
            parts = [pyramid[0], *known, matched_colours(pictures).to(told.dtype)]
            pyramid[0] = torch.cat(parts, dim=1)
        level = visual.score_level
        pyramid[level] = torch.cat([pyramid[level], scores.to(pyramid[level].dtype)], dim=1)
        return DateFeatures(pyramid, whole, places, text, scores, land)

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


def _upsample_logits(logits: torch.Tensor, height: int, width: int) -> torch.Tensor:
    return F.interpolate(logits.float(), size=(height, width), mode="bilinear")


def _land_head(options: ChangeClipOptions) -> LandHead | None:
    visual, land = options.visual, options.land
    if land is None:
        return None
    if options.bands is not None or not isinstance(visual, EfficientNetOptions):
        raise ValueError("a land head needs RGB, and the fine map, which only EfficientNet has")
    return LandHead(visual.channels, visual.fine_channels, land)


def _pyramid_channels(options: ChangeClipOptions) -> list[int]:
    """Channels of the pyramid of DateFeatures."""
    visual, land = options.visual, options.land
    sizes = list(visual.channels)
    sizes[visual.score_level] += TEXTS
    if land is not None:
        sizes[0] += len(land.classes) + land.fine + BANDS
    return sizes


def _date_features(both: DateFeatures, date: int) -> DateFeatures:
    def part(x: torch.Tensor) -> torch.Tensor:
        return x.chunk(2)[date]

    return DateFeatures(
        [part(level) for level in both.pyramid],
        part(both.global_embedding),
        part(both.places),
        part(both.text),
        part(both.scores),
        None if both.land is None else part(both.land),
    )
