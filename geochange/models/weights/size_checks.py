"""Size checks: options and tensors must fit together before a network is built.

Networks are created on torch's device `meta`, where they take no memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from geochange.errors import InputError, one_line
from geochange.models.changeclip.land_cover_network import LandNetwork, LandNetworkOptions
from geochange.models.changeclip.network import STRIDE, ChangeClip, ChangeClipOptions
from geochange.models.weights.locate import INVALID_WEIGHTS_ERRORS
from geochange.models.weights.openclip import ClipShape, build_clip, read_shape
from geochange.models.weights.state_dict_formats import Tensors, refuse_misfit

MOST_PLACES = 1024
"""The largest number of tokens of a text; CLIP has 77."""

LARGEST_PX = 2048
"""The largest side of CLIP's input images; published models have at most 896."""

MAX_COMPUTED_RATIO = 4
"""Tables that a network computes may hold this multiple of the numbers of its weights,"""

ALLOWED_COMPUTED_VALUES = 2**24
"""or this many numbers, if that is more."""


def check_network(options: ChangeClipOptions, tensors: Tensors) -> None:
    """Refuse options whose network has other tensors or does not work. Raises InputError.

    tensors: by name, on any device, without those of a CLIP.
    """
    if _layers(options) > len(tensors):
        raise InputError(
            f"its card lists {_layers(options):,} layers, but it holds {len(tensors):,} tensors"
        )
    try:
        network = _meta_network(options)
    except (*INVALID_WEIGHTS_ERRORS, MemoryError) as error:
        raise InputError(f"its card or tensors are not valid ({_error_line(error)})") from error
    refuse_misfit(network.state_dict(), tensors)
    _check_computed(network, tensors)
    _check_forward_pass(options)


def check_land(options: LandNetworkOptions, tensors: Tensors) -> None:
    """Refuse a land network that has other tensors. Raises InputError."""
    try:
        with torch.device("meta"):
            network = LandNetwork(options)
    except (*INVALID_WEIGHTS_ERRORS, MemoryError) as error:
        raise InputError(f"its card or tensors make no sense ({_error_line(error)})") from error
    refuse_misfit(network.state_dict(), tensors)


def check_place(options: LandNetworkOptions, clip: ClipShape) -> None:
    """Refuse a place head for another text space than that of this CLIP. Raises InputError."""
    if options.place is not None and options.visual.embed != clip.embed:
        raise InputError(
            f"its place head has embeddings of {options.visual.embed} numbers, its CLIP of {clip.embed}"
        )


def check_clip(tensors: Tensors) -> ClipShape:
    """The sizes of a CLIP whose tensors fit together. Raises InputError."""
    try:
        shape = read_shape(tensors)
        _check_limits(shape)
        with torch.device("meta"):
            clip = build_clip(shape, quickgelu=True)
    except InputError:
        raise
    except (*INVALID_WEIGHTS_ERRORS, MemoryError) as error:
        raise InputError(f"its tensors are not valid ({_error_line(error)})") from error
    refuse_misfit(clip.state_dict(), tensors)
    _check_computed(clip, tensors)
    return shape


def _check_limits(shape: ClipShape) -> None:
    side, places = shape.vision["image_size"], shape.text["context_length"]
    if side > LARGEST_PX or places > MOST_PLACES:
        raise InputError(
            f"a CLIP of pictures of {side:,} px and texts of {places:,} tokens; the limits are "
            f"{LARGEST_PX:,} px and {MOST_PLACES:,} tokens"
        )


def _layers(options: ChangeClipOptions) -> int:
    """The number of layers in the options. Each layer has tensors."""
    counts = [*_numbers(asdict(options.visual), "blocks", "layers")]
    return sum((*counts, options.text.layers, options.context.layers))


def _numbers(values: dict[str, Any], *names: str) -> Iterator[int]:
    for name in names:
        value = values.get(name, 0)
        yield from value if isinstance(value, tuple) else (value,)


@lru_cache(maxsize=4)
def _meta_network(options: ChangeClipOptions) -> ChangeClip:
    with torch.device("meta"):
        return ChangeClip(options).eval()


def _check_computed(network: nn.Module, tensors: Tensors) -> None:
    """Refuse a network whose computed tables are much larger than its weights."""
    weights = sum(tensor.numel() for tensor in tensors.values())
    computed = sum(buffer.numel() for buffer in network.buffers())
    if computed > max(ALLOWED_COMPUTED_VALUES, MAX_COMPUTED_RATIO * weights):
        raise InputError(f"its sizes need tables of {computed:,} numbers beside its weights")


@lru_cache(maxsize=4)
def _check_forward_pass(options: ChangeClipOptions) -> None:
    """Refuse sizes that fail in a forward pass, such as heads that do not divide the width."""
    if options.text.places + options.text.contexts > MOST_PLACES:
        raise InputError(f"texts of {options.text.places:,} tokens; the limit is {MOST_PLACES:,}")
    if options.text.width % options.text.heads:
        raise InputError(
            f"{options.text.heads} heads do not divide a width of {options.text.width}"
        )
    side = 2 * STRIDE
    try:
        with torch.device("meta"), torch.inference_mode():
            picture = torch.empty(1, options.inputs, side, side)
            text = torch.empty(1, 2, options.visual.embed)
            _meta_network(options)(picture, picture, text, text)
    except (*INVALID_WEIGHTS_ERRORS, MemoryError) as error:
        raise InputError(
            f"its card or tensors do not fit together ({_error_line(error)})"
        ) from error


def _error_line(error: BaseException) -> str:
    return one_line(f"{type(error).__name__}: {error}")[:200]
