"""EfficientNet-Lite0 as an image tower: a pyramid, and one embedding per place and for the whole.

Tan and Le: EfficientNet, ICML 2019; the Lite variants leave out squeeze-and-excite, clip at 6 and
keep stem and head at their size. Padding is TensorFlow's "same", as the published weights expect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from geochange.models.changeclip.image_features import ImageFeatures

BN_EPSILON = 1e-3
"""Of every batch norm, as in TensorFlow."""

BN_MOMENTUM = 0.01


class Stage(NamedTuple):
    """Blocks of one width. stride: of the first of them. expand: times the width that goes in."""

    blocks: int
    kernel: int
    stride: int
    expand: int
    channels: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
"""Of EfficientNet-Lite0, whose stem has 32 channels at stride 2."""

STEM = 32
TAPS = (0, 1, 2, 4)
"""The last stage of strides 2, 4, 8 and 16; the last of all has stride 32."""


@dataclass(frozen=True, slots=True)
class EfficientNetOptions:
    """EfficientNet-Lite0. `grid` is nominal, input size / 32: no position is learned.

    embed: channels of the embeddings, projected from all strides together. stages: how many of
    STAGES there are; the last holds a fifth of all weights.
    """

    grid: int = 8
    embed: int = 128
    stages: int = len(STAGES)

    mean: ClassVar[tuple[float, float, float]] = (127.0, 127.0, 127.0)
    std: ClassVar[tuple[float, float, float]] = (128.0, 128.0, 128.0)

    def __post_init__(self) -> None:
        if not TAPS[-1] + 1 < self.stages <= len(STAGES):
            raise ValueError(f"{self.stages} stages: there are {TAPS[-1] + 2} to {len(STAGES)}")

    @property
    def taps(self) -> tuple[int, ...]:
        """The last stage of each stride, from 2 to 32."""
        return *TAPS, self.stages - 1

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the pyramid, from stride 4 to stride 32."""
        return tuple(STAGES[tap].channels for tap in self.taps[1:])

    @property
    def fine_channels(self) -> int:
        """Channels of the map at stride 2."""
        return STAGES[TAPS[0]].channels

    @property
    def score_level(self) -> int:
        """The pyramid's level whose size the local embeddings have."""
        return 3


class SameConv(nn.Conv2d):
    """A convolution without bias, padded as TensorFlow's "same" pads sides that `stride` divides."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1
    ) -> None:
        even = kernel - stride  # 0 for 1x1; odd where the stride is 2: the second side gets more
        super().__init__(
            inputs, outputs, kernel, stride, even // 2 if stride == 1 else 0, 1, groups, bias=False
        )
        self.uneven = (even // 2, even - even // 2) * 2 if stride > 1 else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) -> (B, outputs, H / stride, W / stride)."""
        x = x if self.uneven is None else F.pad(x, self.uneven)
        if self.groups == 1 or x.device.type != "cpu" or not torch.is_grad_enabled():
            return super().forward(x)
        # On a CPU a depthwise gradient takes four times as long in bfloat16 as in float32.
        with torch.autocast("cpu", enabled=False):
            return super().forward(x.to(self.weight.dtype))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=BN_EPSILON, momentum=BN_MOMENTUM)


class InvertedResidual(nn.Module):
    """MBConv: expand by 1x1, filter by depth, project by 1x1; added to what came, where it fits."""

    def __init__(self, inputs: int, stage: Stage, stride: int) -> None:
        super().__init__()
        wide = inputs * stage.expand
        self.added = stride == 1 and inputs == stage.channels
        self.expand = nn.Identity() if stage.expand == 1 else SameConv(inputs, wide, 1, 1)
        self.expand_bn = nn.Identity() if stage.expand == 1 else _norm(wide)
        self.depthwise = SameConv(wide, wide, stage.kernel, stride, wide)
        self.depthwise_bn = _norm(wide)
        self.project = SameConv(wide, stage.channels, 1, 1)
        self.project_bn = _norm(stage.channels)
        self.expands = stage.expand > 1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(B, inputs, H, W) -> (B, channels, H / stride, W / stride)."""
        wide = F.relu6(self.expand_bn(self.expand(x))) if self.expands else x
        wide = F.relu6(self.depthwise_bn(self.depthwise(wide)))
        narrow: torch.Tensor = self.project_bn(self.project(wide))
        return x + narrow if self.added else narrow


class EfficientNetTrunk(nn.Module):
    """EfficientNet-Lite0 without its classifier: the maps of its strides."""

    def __init__(self, options: EfficientNetOptions) -> None:
        super().__init__()
        self.taps = options.taps
        self.conv1 = SameConv(3, STEM, 3, 2)
        self.bn1 = _norm(STEM)
        inputs, stages = STEM, []
        for stage in STAGES[: options.stages]:
            strides = (stage.stride, *(1,) * (stage.blocks - 1))
            widths = (inputs, *(stage.channels,) * (stage.blocks - 1))
            stages.append(
                nn.Sequential(
                    *(
                        InvertedResidual(width, stage, stride)
                        for width, stride in zip(widths, strides, strict=True)
                    )
                )
            )
            inputs = stage.channels
        self.stages = nn.ModuleList(stages)

    def maps(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(B, 3, H, W) normalised RGB -> five maps (B, channels, H / s, W / s), s = 2, 4 .. 32.

        H and W are multiples of 32.
        """
        x = F.relu6(self.bn1(self.conv1(x)))
        maps = []
        for number, stage in enumerate(self.stages):
            x = stage(x)
            if number in self.taps:
                maps.append(x)
        return maps


class EfficientNetTower(EfficientNetTrunk):
    """The trunk with an embedding; `ImageFeatures.fine` is its map at stride 2."""

    def __init__(self, options: EfficientNetOptions) -> None:
        super().__init__(options)
        seen = options.fine_channels + sum(options.channels)
        self.embed = nn.Linear(seen, options.embed)

    def forward(self, x: torch.Tensor) -> ImageFeatures:
        """See (B, 3, H, W) normalised RGB, H and W multiples of 32."""
        maps = self.maps(x)
        places = self._embed(maps)
        return ImageFeatures(maps[1:], places.mean(dim=(2, 3)), places, maps[0])

    def _embed(self, maps: list[torch.Tensor]) -> torch.Tensor:
        """All strides' maps, meaned to stride 32 -> (B, embed, H / 32, W / 32)."""
        met = [F.avg_pool2d(level, 32 // 2**power) for power, level in enumerate(maps, start=1)]
        told: torch.Tensor = self.embed(torch.cat(met, dim=1).permute(0, 2, 3, 1))
        return told.permute(0, 3, 1, 2)
