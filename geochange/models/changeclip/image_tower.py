"""CLIP's image towers made dense: a pyramid, a global embedding and one embedding per position."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F

from geochange.models.changeclip.efficientnet import EfficientNetOptions, EfficientNetTower
from geochange.models.changeclip.layers import resize_grid
from geochange.models.changeclip.seen import ImageFeatures
from geochange.models.weights.openclip import blocks_of, modified_resnet, transformer

MEAN = (123.675, 116.28, 103.53)
"""Subtracted from RGB in 0-255 (ImageNet's), and what it is then divided by."""
STD = (58.395, 57.12, 57.375)


@dataclass(frozen=True, slots=True)
class ResNetOptions:
    """CLIP's ModifiedResNet. `grid` is the side of its position grid (input size / 32)."""

    blocks: tuple[int, ...] = (3, 4, 6, 3)
    width: int = 64
    heads: int = 32
    grid: int = 16
    embed: int = 1024

    mean: ClassVar[tuple[float, float, float]] = MEAN
    std: ClassVar[tuple[float, float, float]] = STD

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the pyramid, from stride 4 to stride 32."""
        return tuple(self.width * factor for factor in (4, 8, 16, 32))

    @property
    def score_level(self) -> int:
        """The level of the pyramid that has the size of the dense embedding."""
        return 3


@dataclass(frozen=True, slots=True)
class VitOptions:
    """CLIP's VisionTransformer with patches of 16 px. `grid` is input size / 16.

    taps: the blocks, counted from 1, after which the pyramid's four levels are taken.
    double_class_token: add the class embedding once more inside its position, as the published
    ChangeCLIP weights were trained; CLIP itself does not.
    drop_path: the rate of the last block while training, rising from 0 at the first.
    """

    layers: int = 12
    width: int = 768
    heads: int = 12
    grid: int = 16
    embed: int = 512
    taps: tuple[int, ...] = (4, 6, 8, 12)
    double_class_token: bool = False
    drop_path: float = 0.1

    mean: ClassVar[tuple[float, float, float]] = MEAN
    std: ClassVar[tuple[float, float, float]] = STD

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the pyramid, from stride 4 to stride 32."""
        return (self.width,) * 4

    @property
    def score_level(self) -> int:
        """The level of the pyramid that has the size of the dense embedding."""
        return 2


def to_map(tokens: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(B, height * width, C) -> (B, C, height, width), a view."""
    # An exporter takes the sizes of `unflatten`, and the batch behind one, for constants.
    return tokens.transpose(1, 2).reshape(-1, tokens.shape[2], height, width)


class DenseAttentionPool(nn.Module):
    """CLIP's attention pool with an output for every position, not for the mean alone.

    Returns (B, 1 + H * W, embed); row 0 is CLIP's global embedding (DenseCLIP, Rao 2022, sec. 3.2).
    """

    def __init__(self, channels: int, options: ResNetOptions) -> None:
        super().__init__()
        self.heads = options.heads
        places = options.grid**2 + 1
        self.positional_embedding = nn.Parameter(torch.randn(places, channels) / channels**0.5)
        self.q_proj = nn.Linear(channels, channels)
        self.k_proj = nn.Linear(channels, channels)
        self.v_proj = nn.Linear(channels, channels)
        self.c_proj = nn.Linear(channels, options.embed)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Attend from every position: (B, channels, H, W) -> (B, 1 + H * W, embed)."""
        height, width = x.shape[2:]
        tokens = x.flatten(2).transpose(1, 2)
        tokens = torch.cat([tokens.mean(dim=1, keepdim=True), tokens], dim=1)
        tokens = tokens + resize_grid(self.positional_embedding, height, width)
        q, k, v = (
            project(tokens).unflatten(2, (self.heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        attended = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        pooled: torch.Tensor = self.c_proj(attended)
        return pooled


_STEM = (*(f"{part}{i}" for i in (1, 2, 3) for part in ("conv", "bn", "act")), "avgpool")


class ResNetTower(nn.Module):
    """CLIP's ResNet; the outputs of its stages are the pyramid (ChangeCLIP's RN50 variant)."""

    conv1: nn.Conv2d

    def __init__(self, options: ResNetOptions) -> None:
        super().__init__()
        o = options
        trunk = modified_resnet(o.blocks, o.width, o.heads, o.grid, o.embed)
        trunk.attnpool = DenseAttentionPool(o.channels[-1], o)
        for name, child in trunk.named_children():
            self.add_module(name, child)

    def forward(self, x: torch.Tensor) -> ImageFeatures:
        """See (B, 3, H, W) normalised RGB, H and W multiples of 32."""
        for name in _STEM:
            x = self.get_submodule(name)(x)
        pyramid = []
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            x = self.get_submodule(stage)(x)
            pyramid.append(x)
        tokens = self.get_submodule("attnpool")(x)
        return ImageFeatures(pyramid, tokens[:, 0], to_map(tokens[:, 1:], x.shape[2], x.shape[3]))


class VitTower(nn.Module):
    """CLIP's ViT; the tokens of four blocks, resized to four strides, are the pyramid."""

    def __init__(self, options: VitOptions) -> None:
        super().__init__()
        width, scale = options.width, options.width**-0.5
        self.options = options
        self.conv1 = nn.Conv2d(3, width, 16, stride=16, bias=False)
        self.class_embedding = nn.Parameter(scale * torch.randn(width))
        self.positional_embedding = nn.Parameter(scale * torch.randn(options.grid**2 + 1, width))
        self.ln_pre = nn.LayerNorm(width)
        self.transformer = transformer(width, options.layers, options.heads, options.drop_path)
        self.ln_post = nn.LayerNorm(width)
        self.proj = nn.Parameter(scale * torch.randn(width, options.embed))
        self.fpn1 = nn.Sequential(
            nn.GroupNorm(1, width),
            nn.ConvTranspose2d(width, width, 2, stride=2),
            nn.BatchNorm2d(width),
            nn.GELU(),
            nn.ConvTranspose2d(width, width, 2, stride=2),
        )
        self.fpn2 = nn.Sequential(
            nn.GroupNorm(1, width), nn.ConvTranspose2d(width, width, 2, stride=2)
        )
        self.fpn3 = nn.GroupNorm(1, width)
        self.fpn4 = nn.Sequential(nn.GroupNorm(1, width), nn.MaxPool2d(2))

    def forward(self, x: torch.Tensor) -> ImageFeatures:
        """See (B, 3, H, W) normalised RGB, H and W multiples of 32."""
        patches = self.conv1(x)
        height, width = patches.shape[2:]
        x = self.ln_pre(self._embed(patches))
        tapped = {}
        for number, block in enumerate(blocks_of(self.transformer), start=1):
            x = block(x)
            tapped[number] = x
        heads = (self.fpn1, self.fpn2, self.fpn3, self.fpn4)
        pyramid = [
            head(to_map(tapped[number][:, 1:], height, width))
            for head, number in zip(heads, self.options.taps, strict=True)
        ]
        tokens = self.ln_post(x) @ self.proj
        return ImageFeatures(pyramid, tokens[:, 0], to_map(tokens[:, 1:], height, width))

    def _embed(self, patches: torch.Tensor) -> torch.Tensor:
        batch, _, height, width = patches.shape
        first = self.class_embedding.expand(batch, 1, -1)
        if self.options.double_class_token:
            first = first + self.class_embedding
        tokens = torch.cat([first, patches.flatten(2).transpose(1, 2)], dim=1)
        return tokens + resize_grid(self.positional_embedding, height, width)


VisualOptions = ResNetOptions | VitOptions | EfficientNetOptions


def build_tower(options: VisualOptions) -> ResNetTower | VitTower | EfficientNetTower:
    """The image tower these options ask for."""
    match options:
        case VitOptions():
            return VitTower(options)
        case EfficientNetOptions():
            return EfficientNetTower(options)
        case ResNetOptions():
            return ResNetTower(options)
