"""Initial weights for training: CLIP's weights in both towers, the rest initialised randomly."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from geochange.errors import InputError
from geochange.models.bands.first_convolution import widen
from geochange.models.changeclip.layers import resize_grid
from geochange.models.changeclip.network import ChangeClip, ChangeClipOptions
from geochange.models.weights.state_dict_formats import load_into

_TEXT_PARTS = (
    *("token_embedding.", "positional_embedding", "transformer.", "ln_final."),
    "text_projection",
)
FIRST_WEIGHTS = "backbone.conv1.weight"
"""The weights of the first convolution, whose inputs are the bands of a picture."""

_POSITION_GRIDS = ("backbone.positional_embedding", "backbone.attnpool.positional_embedding")


def tower_weights(clip: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """CLIP's tensors under the names of ChangeCLIP's two towers."""
    renamed = {}
    for name, value in clip.items():
        if name.startswith("visual."):
            renamed["backbone." + name.removeprefix("visual.")] = value.float()
        elif name.startswith(_TEXT_PARTS):
            renamed["text_encoder." + name] = value.float()
    return renamed


def start_from_clip(options: ChangeClipOptions, clip: Mapping[str, torch.Tensor]) -> ChangeClip:
    """A network whose towers have CLIP's weights. All other weights are initialised randomly.

    Positional embeddings are resized bilinearly to the grid of the options (CLIP: 14x14 for ViT-B/16 at
    224 px, 7x7 for RN50; ChangeCLIP: 16x16). `gamma` starts at 1e-4, and `contexts2` as a truncated
    normal with deviation 1. The first convolution is widened to the bands of the options; see `widen`.
    Raises InputError if CLIP's shapes do not fit.
    """
    network = ChangeClip(options)
    towers = tower_weights(clip)
    grid = options.visual.grid
    for name in _POSITION_GRIDS:
        if name in towers:
            towers[name] = resize_grid(towers[name], grid, grid)
    if options.bands is not None and FIRST_WEIGHTS in towers:
        first = towers[FIRST_WEIGHTS]
        towers[FIRST_WEIGHTS] = widen(first, options.inputs, options.bands.rgb)
    ours = network.state_dict()
    # Only the heads of the feature pyramid are missing in CLIP; they keep their initial weights.
    fresh = {n: v for n, v in ours.items() if not n.startswith(("backbone.", "text_encoder."))}
    fresh |= {n: v for n, v in ours.items() if n.startswith("backbone.fpn")}
    try:
        load_into(network, fresh | towers)
    except InputError as error:
        raise InputError(f"this CLIP does not fit the network's towers: {error}") from error
    return network
