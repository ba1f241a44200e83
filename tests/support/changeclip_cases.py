"""For tests of ChangeCLIP: small networks, weights derived from names, and golden arrays."""

from __future__ import annotations

import copy
import json
import zlib
from collections import OrderedDict
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geochange.models.changeclip.context_decoder import ContextOptions
from geochange.models.changeclip.decoder import DecoderOptions
from geochange.models.changeclip.efficientnet import EfficientNetOptions
from geochange.models.changeclip.image_tower import ResNetOptions, VitOptions
from geochange.models.changeclip.land_cover_head import LandOptions
from geochange.models.changeclip.network import ChangeClip, ChangeClipOptions
from geochange.models.changeclip.text_tower import TextOptions
from geochange.models.weights.openclip import ClipShape, build_clip

# Networks this small are slower with threads, tenfold if cores are shared with others.
torch.set_num_threads(1)

FOLDER = Path(__file__).parents[1] / "fixtures" / "changeclip"
PUBLISHED = {
    "rn50": ChangeClipOptions(),
    "vit_b16": ChangeClipOptions(visual=VitOptions(double_class_token=True)),
}
# Heads 64 wide and 32 groups, so that the options of a small network follow from its tensors.
SMALL_RESNET = ChangeClipOptions(
    visual=ResNetOptions(blocks=(1, 2, 1, 1), width=4, heads=2, grid=2, embed=32),
    text=TextOptions(layers=1, width=64, heads=1),
    context=ContextOptions(layers=1, width=64, heads=1),
    decoder=DecoderOptions(channels=16, width=32, heads=2, window=3, rank=8, squeeze=4),
)
SMALL_VIT = replace(
    SMALL_RESNET,
    visual=VitOptions(width=64, heads=1, grid=4, embed=32, double_class_token=True),
)
SMALL_LITE = replace(
    SMALL_RESNET, visual=EfficientNetOptions(embed=32), land=LandOptions(channels=8, fine=4)
)
SMALL = {"resnet": SMALL_RESNET, "vit": SMALL_VIT}
CLIP_SHAPE = ClipShape(
    embed=32,
    vision={"layers": 2, "width": 64, "head_width": 64, "patch_size": 16, "image_size": 32},
    text={"context_length": 77, "vocab_size": 49408, "width": 64, "heads": 1, "layers": 1},
)


def value_by_name(name: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor with which the golden arrays were made, derived from its name."""
    seed = zlib.crc32(name.encode())
    z = np.random.RandomState(seed).standard_normal(size=shape).astype(np.float32)
    leaf = name.rsplit(".", 1)[-1]
    if leaf == "running_var":
        return 1 + 0.1 * np.abs(z)
    if leaf == "running_mean":
        return 0.1 * z
    if name == "gamma":
        return 0.5 * z
    if len(shape) < 2:
        return 1 + 0.1 * z if leaf == "weight" else (0.1 if leaf == "class_embedding" else 0.05) * z
    if name == "contexts2" or "positional_embedding" in name or "token_embedding" in name:
        return 0.1 * z
    if "relative_position_bias_table" in name:
        return 0.5 * z
    inputs = shape[0] if name.endswith((".proj", "text_projection")) else np.prod(shape[1:])
    return z / np.sqrt(inputs)


def fill_by_name(network: torch.nn.Module) -> None:
    for name, tensor in network.state_dict().items():
        if tensor.is_floating_point():
            value = np.asarray(value_by_name(name, tuple(tensor.shape)), dtype=np.float32)
            tensor.copy_(torch.from_numpy(value))


@lru_cache(maxsize=2)
def _small(kind: str) -> ChangeClip:
    network = ChangeClip(SMALL[kind]).eval()
    fill_by_name(network)
    return network.requires_grad_(False)


def small(kind: str) -> ChangeClip:
    """A small network with constant weights. Each caller gets its own."""
    return copy.deepcopy(_small(kind))


@lru_cache(maxsize=2)
def small_clip(seed: int = 0) -> torch.nn.Module:
    torch.manual_seed(seed)
    return build_clip(CLIP_SHAPE, quickgelu=True)


def pictures(batch: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    size = (batch, height, width, 3)
    drawn = torch.randint(0, 256, size, generator=generator, dtype=torch.uint8)
    return drawn.permute(0, 3, 1, 2)


def texts(options: ChangeClipOptions, batch: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, 2, options.visual.embed, generator=generator)


def published_shapes(variant: str) -> dict[str, Any]:
    """Name -> (shape, dtype) of the authors' weights."""
    read = json.loads((FOLDER / f"state_dict_{variant}.json").read_text())
    return OrderedDict((name, (tuple(shape), dtype)) for name, (shape, dtype) in read.items())


def golden(case: str) -> dict[str, np.ndarray]:
    """Arrays of one run of the authors' network; pictures are uint8 (1, H, W, 3)."""
    with np.load(FOLDER / f"{case}.npz") as file:
        arrays = {name: file[name] for name in file.files}
    size = "_288x352" if case.endswith("_288x352") else ""
    with np.load(FOLDER / "pictures.npz") as file:
        return arrays | {date: file[date + size] for date in ("before", "after")}
