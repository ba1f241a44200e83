"""A fresh network to train: OpenAI's CLIP in both towers, the rest as the modules begin."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from geochange.errors import InputError
from geochange.models.changeclip.layers import resize_grid
from geochange.models.changeclip.network import ChangeClip, ChangeClipOptions
from geochange.models.weights.foreign import fill

_TEXT_PARTS = (
    *("token_embedding.", "positional_embedding", "transformer.", "ln_final."),
    "text_projection",
)
_GRIDS = ("backbone.positional_embedding", "backbone.attnpool.positional_embedding")


def tower_weights(clip: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """CLIP's tensors, plainly named, under the names ChangeCLIP's two towers have for them."""
    renamed = {}
    for name, value in clip.items():
        if name.startswith("visual."):
            renamed["backbone." + name.removeprefix("visual.")] = value.float()
        elif name.startswith(_TEXT_PARTS):
            renamed["text_encoder." + name] = value.float()
    return renamed


def start_from_clip(options: ChangeClipOptions, clip: Mapping[str, torch.Tensor]) -> ChangeClip:
    """A network whose towers start from CLIP's weights, everything else freshly drawn.

    Position grids are resized bilinearly to the options' grid (CLIP: 14x14 for ViT-B/16 at
    224 px, 7x7 for RN50; ChangeCLIP: 16x16). `gamma` starts at 1e-4 and `contexts2` as a
    truncated normal of deviation 1. Raises InputError where CLIP is of another shape.
    """
    network = ChangeClip(options)
    towers = tower_weights(clip)
    grid = options.visual.grid
    for name in _GRIDS:
        if name in towers:
            towers[name] = resize_grid(towers[name], grid, grid)
    ours = network.state_dict()
    # Only the pyramid's own heads, which CLIP lacks, may be missing from its tensors.
    fresh = {n: v for n, v in ours.items() if not n.startswith(("backbone.", "text_encoder."))}
    fresh |= {n: v for n, v in ours.items() if n.startswith("backbone.fpn")}
    try:
        fill(network, fresh | towers)
    except InputError as error:
        raise InputError(f"this CLIP does not fit the network's towers: {error}") from error
    return network
