"""Small networks as ONNX files, exported from torch modules, with what is said of them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from torch.nn import functional as F

BANDS = 3
SAID = {"scale": 255, "says": "logits", "bands": ["red", "green", "blue"]}


class Siamese(nn.Module):
    """Convolutions of both dates and of their difference; `channels` at 1/`fraction` of the size."""

    def __init__(self, channels: int = 1, fraction: int = 1, bands: int = BANDS) -> None:
        super().__init__()
        torch.manual_seed(channels)
        self.see = nn.Sequential(nn.Conv2d(bands, 8, 3, padding=1), nn.ReLU())
        self.say = nn.Conv2d(16, channels, 3, padding=1)
        self.fraction = fraction

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        one, two = self.see(before), self.see(after)
        x = torch.cat([(one - two).abs(), two], dim=1)
        x = F.avg_pool2d(x, self.fraction) if self.fraction > 1 else x
        logits: torch.Tensor = 4 * self.say(x)
        return logits


class Stacked(nn.Module):
    """A network of two inputs with one, (B, 2 C, H, W) or (B, 2, C, H, W)."""

    def __init__(self, network: nn.Module, dates: bool = False) -> None:
        super().__init__()
        self.network, self.dates = network, dates

    def forward(self, both: torch.Tensor) -> torch.Tensor:
        pair = both.unbind(1) if self.dates else both.chunk(2, dim=1)
        told: torch.Tensor = self.network(*pair)
        return told


class Then(nn.Module):
    """A network followed by a function."""

    def __init__(self, network: nn.Module, function: Any) -> None:
        super().__init__()
        self.network, self.function = network, function

    def forward(self, *dates: torch.Tensor) -> Any:
        return self.function(self.network(*dates))


class Eight(nn.Module):
    """A network that takes 8-bit pixels."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
        told: torch.Tensor = self.network(before.float() / 255, after.float() / 255)
        return told


def export(
    network: nn.Module,
    path: Path,
    pictures: tuple[torch.Tensor, ...] | None = None,
    said: Mapping[str, Any] | None = None,
    outputs: tuple[str, ...] = ("out",),
    fixed: bool = False,
) -> Path:
    """Write a network as ONNX, of any batch and size unless `fixed`.

    said: what its metadata say; None says nothing.
    """
    pictures = (torch.rand(1, BANDS, 32, 32),) * 2 if pictures is None else pictures
    names = ["before", "after"] if len(pictures) == 2 else ["both"]
    rank = pictures[0].ndim
    free = {0: "batch", rank - 2: "height", rank - 1: "width"}
    axes = {} if fixed else dict.fromkeys([*names, *outputs], free)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network.eval(),
            pictures,
            path,
            dynamo=False,
            opset_version=18,
            input_names=names,
            output_names=list(outputs),
            dynamic_axes=axes,
        )
    return path if said is None else tell(path, said)


def tell(path: Path, said: Mapping[str, Any]) -> Path:
    """Write metadata into a file."""
    model = onnx.load(path)
    model.metadata_props.add(key="geochange", value=json.dumps(dict(said)))
    onnx.save(model, path)
    return path


def siamese(path: Path, **said: Any) -> Path:
    """The file of a Siamese of one logit."""
    return export(Siamese(), path, said={**SAID, **said})
