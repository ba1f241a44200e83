"""ChangeCLIP with planted weights: what it finds is known beforehand, on every processor.

A network that a test trains from random weights is another one on another processor. This one is
set by hand. Its answer depends on the pixel alone, and all that is not on the planted path adds
exactly nothing.
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
from geochange.models.trainable import NetworkStart, start_network
from geochange.models.weights.checkpoint import Checkpoint, write_checkpoint

GROUND, ROOF, POND = -3.0, 4.0, 0.3
"""Logits of change where nothing appeared, where something bright did, and where water did.

A pond is called change, but only just: a few steps of training on labels that reject it are enough,
and the answers to all else stay far from any threshold.
"""

RED = 0
BRIGHT, DARK = 0, 1
"""Channels of the planted path: what is redder than any ground, and darker than any."""

BRIGHTER, DARKER = 160, 58
"""Red in 0-255 from which a pixel is bright, and below which it is dark."""

STEEP = 20.0
"""How fast a channel goes from 0 to 1; noise of a few grey levels is then no noise any more."""


def plant(network: ChangeClip, pond: float) -> None:
    """Set the weights: logit ROOF where bright appears or goes, `pond` where dark does, else GROUND.

    The stem marks bright and dark pixels, the finest level carries the marks past everything else,
    and the last convolution weighs how far the marks of both dates differ.
    """
    with torch.no_grad():
        _plant_marks(network.backbone)
        _pass_on(network)
        seg = network.decode_head.conv_seg
        seg.weight.zero_()
        for channel, logit in ((BRIGHT, ROOF), (DARK, pond)):
            # Half the logit for change, half against no change.
            seg.weight[:, channel] = torch.tensor([-0.5, 0.5])[:, None, None] * (logit - GROUND)
        seg.bias.copy_(torch.tensor([-0.5, 0.5]) * GROUND)


def _plant_marks(tower: nn.Module) -> None:
    """1 outside bright, or dark, pixels and 0 inside, through stem and first stage."""
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
    """Let a channel be weight * source + bias."""
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    _read(conv, channel, [source], weight)
    norm.weight[channel], norm.bias[channel] = 1.0, bias


def _read(conv: nn.Conv2d, channel: int, sources: Sequence[int], weight: float = 1.0) -> None:
    """Let a channel of a convolution be the weighted sum of others at the same pixel."""
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
        # The squeeze lets the difference through whole: a hard sigmoid is 1 from 3 on.
        excite.weight[channels + channel] = 0.0  # type: ignore[index]
        excite.bias[channels + channel] = 6.0  # type: ignore[index]
        _read(last.conv2[0], channel, [channel])  # type: ignore[arg-type]
        _read(last.conv_relu[0], channel, [channel])  # type: ignore[arg-type]


def write_planted(file: Path, pond: float = POND) -> Path:
    """Write a checkpoint of the planted network, with fixed prompts; returns its file."""
    network, card = start_network(NetworkStart("tiny", None, Regularisation()))
    plant(network, pond)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_checkpoint(file, Checkpoint(replace(card, prompts="fixed"), network.state_dict()))
    return file
