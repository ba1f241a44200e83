"""ChangeCLIP with planted weights: its result is known, and equal on every processor.

A network that a test trains from random weights differs between processors. These weights are set
by hand. The result depends on single pixels, and everything outside the planted path adds exactly
zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from geochange.models.changeclip.image_tower import MEAN, STD
from geochange.models.changeclip.network import ChangeClip
from geochange.models.changeclip.variants import Regularisation
from geochange.models.learning.trainable import NetworkStart, initial_network
from geochange.models.weights.checkpoint import Checkpoint, write_checkpoint

GROUND, ROOF, POND = -3.0, 4.0, 0.3
"""Logits of change without a new object, for a new bright object, and for new water.

A pond is only just called change. A few training steps with labels that reject it are enough, and
the logits of everything else stay far from any threshold.
"""

RED = 0
BRIGHT, DARK = 0, 1
"""Channels of the planted path: redder than any ground, and darker than any ground."""

BRIGHTER, DARKER = 160, 58
"""Red in 0-255 from which a pixel is bright, and below which it is dark."""

STEEP = 20.0
"""The slope of a channel from 0 to 1. It removes noise of a few grey levels."""


def plant_weights(network: ChangeClip, pond: float) -> None:
    """Set the weights: logit ROOF where bright appears or goes, `pond` where dark does, else GROUND.

    The stem marks bright and dark pixels. The finest level passes the marks around all other layers.
    The last convolution weights the difference of the marks of both dates.
    """
    with torch.no_grad():
        _plant_marks(network.backbone)
        _pass_on(network)
        seg = network.decode_head.conv_seg
        seg.weight.zero_()
        for channel, logit in ((BRIGHT, ROOF), (DARK, pond)):
            # One half of the logit for change, the other half against no change.
            seg.weight[:, channel] = torch.tensor([-0.5, 0.5])[:, None, None] * (logit - GROUND)
        seg.bias.copy_(torch.tensor([-0.5, 0.5]) * GROUND)


def _plant_marks(tower: nn.Module) -> None:
    """1 outside bright (or dark) pixels and 0 inside, through stem and first stage."""
    part = tower.get_submodule
    lines = ((BRIGHT, STEEP, BRIGHTER), (DARK, -STEEP, DARKER))
    for channel, slope, level in lines:
        edge = (level - MEAN[RED]) / STD[RED]
        _carry(part("conv1"), part("bn1"), channel, RED, slope, -slope * edge)
        _carry(part("conv2"), part("bn2"), channel, channel, -1.0, 1.0)
        _carry(part("conv3"), part("bn3"), channel, channel, 1.0, 0.0)
        shortcut = part("layer1.0.downsample")
        _carry(shortcut.get_submodule("0"), shortcut.get_submodule("1"), channel, channel, 1.0, 0.0)
    residual = part("layer1.0.bn3")
    residual.weight.zero_()  # type: ignore[operator]
    residual.bias.zero_()  # type: ignore[operator]


def _carry(
    conv: nn.Module, norm: nn.Module, channel: int, source: int, weight: float, bias: float
) -> None:
    """Set a channel to weight * source + bias."""
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    _read(conv, channel, [source], weight)
    norm.weight[channel], norm.bias[channel] = 1.0, bias


def _read(conv: nn.Conv2d, channel: int, sources: Sequence[int], weight: float = 1.0) -> None:
    """Set a channel of a convolution to the weighted sum of other channels at the same pixel."""
    middle = conv.kernel_size[0] // 2
    conv.weight[channel] = 0.0
    for source in sources:
        conv.weight[channel, source, middle, middle] = weight
    if conv.bias is not None:
        conv.bias[channel] = 0.0


def _pass_on(network: ChangeClip) -> None:
    """Pass the difference of the marks from the finest level to the last convolution."""
    fusion, last = network.channel_att[0], network.decode_head.layer3
    minus, joined = network.minus_conv[0], fusion.get_submodule("conv_last")
    channels = network.options.decoder.channels
    excite = fusion.get_submodule("conv2.conv")
    for channel in (BRIGHT, DARK):
        _read(minus.get_submodule("conv"), channel, [channel])  # type: ignore[arg-type]
        _read(joined.get_submodule("conv"), channel, [channels + channel])  # type: ignore[arg-type]
        # The squeeze passes the difference unchanged: a hard sigmoid is 1 from 3 on.
        excite.weight[channels + channel] = 0.0  # type: ignore[index]
        excite.bias[channels + channel] = 6.0  # type: ignore[index]
        _read(last.conv2[0], channel, [channel])  # type: ignore[arg-type]
        _read(last.conv_relu[0], channel, [channel])  # type: ignore[arg-type]


def write_planted(file: Path, pond: float = POND) -> Path:
    """Write a checkpoint of the planted network, with fixed prompts. Returns its file."""
    network, card = initial_network(NetworkStart("tiny", None, Regularisation()))
    plant_weights(network, pond)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_checkpoint(file, Checkpoint(replace(card, prompts="fixed"), network.state_dict()))
    return file
