"""The decoder: from the coarsest map to the finest, with the texts of both dates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from geochange.models.changeclip.swin import SwinPair


@dataclass(frozen=True, slots=True)
class DecoderOptions:
    """Sizes of neck, fusion and decoder.

    channels: of the neck's maps; width, heads, window, rank: of the Swin blocks and their texts;
    groups: of the group norm; squeeze: the fusion's reduction; dropout: before the last
    convolution; drop_path: of each stage's second Swin block.
    """

    channels: int = 256
    width: int = 128
    heads: int = 2
    window: int = 7
    rank: int = 64
    groups: int = 32
    squeeze: int = 16
    dropout: float = 0.1
    drop_path: float = 0.2


class Upsample(nn.Module):
    """Upsample by two: nearest neighbour, 3x3 convolution, group norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, groups: int) -> None:
        super().__init__()
        self.up = nn.Sequential(
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(inputs, outputs, 3, padding=1),
            nn.GroupNorm(groups, outputs),
            nn.ReLU(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) -> (B, outputs, 2H, 2W)."""
        larger: torch.Tensor = self.up(x)
        return larger


class SwinUpsample(nn.Module):
    """Upsample a coarse map, then refine it by Swin blocks that attend to the texts."""

    def __init__(self, options: DecoderOptions) -> None:
        super().__init__()
        o = options
        self.up = Upsample(o.channels, o.width, o.groups)
        self.layer = SwinPair(o.width, o.heads, o.window, o.rank, o.drop_path)
        self.conv_relu = nn.Sequential(nn.Conv2d(o.width, o.width, 1), nn.ReLU())

    def forward(self, x: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """(B, channels, H, W) and (B, T, width) -> (B, width, 2H, 2W)."""
        tokens = self.up(x).permute(0, 2, 3, 1)
        refined: torch.Tensor = self.conv_relu(self.layer(tokens, text).permute(0, 3, 1, 2))
        return refined


class Stage(nn.Module):
    """Upsample a coarse map to the size of the next finer one, and merge them."""

    def __init__(self, options: DecoderOptions) -> None:
        super().__init__()
        o = options
        self.up = SwinUpsample(o)
        self.conv2 = nn.Sequential(nn.Conv2d(o.channels, o.width, 1), nn.ReLU())
        joined = nn.Conv2d(2 * o.width, o.channels, 3, padding=1)
        self.conv_relu = nn.Sequential(joined, nn.ReLU())

    def forward(self, coarse: torch.Tensor, fine: torch.Tensor, text: torch.Tensor) -> torch.Tensor:
        """(B, C, H, W), (B, C, 2H, 2W) and (B, T, width) -> (B, C, 2H, 2W)."""
        both = torch.cat([self.conv2(fine), self.up(coarse, text)], dim=1)
        joined: torch.Tensor = self.conv_relu(both)
        return joined


class DecodeHead(nn.Module):
    """Four fused maps and both dates' texts -> logits of "no change" and "change" at stride 4."""

    def __init__(self, embed: int, options: DecoderOptions) -> None:
        super().__init__()
        o = options
        self.linearA = nn.Sequential(nn.Linear(embed, o.width), nn.LayerNorm(o.width))
        self.linearB = nn.Sequential(nn.Linear(embed, o.width), nn.LayerNorm(o.width))
        self.layer1, self.layer2, self.layer3 = Stage(o), Stage(o), Stage(o)
        self.dropout = nn.Dropout2d(o.dropout)
        self.conv_seg = nn.Conv2d(o.channels, 2, 1)

    @property
    def stages(self) -> tuple[Stage, Stage, Stage]:
        """From coarse to fine."""
        return self.layer1, self.layer2, self.layer3

    def forward(
        self, maps: Sequence[torch.Tensor], text_before: torch.Tensor, text_after: torch.Tensor
    ) -> torch.Tensor:
        """From maps, fine to coarse, and texts (B, 2, embed); returns (B, 2, H / 4, W / 4)."""
        text = torch.cat([self.linearA(text_before), self.linearB(text_after)], dim=1)
        # Texts stay in float32, and so does all of the decoder, even where the maps do not.
        finer = [level.to(text.dtype) for level in maps]
        x = finer.pop()
        for stage in self.stages:
            x = stage(x, finer.pop(), text)
        logits: torch.Tensor = self.conv_seg(self.dropout(x))
        return logits
