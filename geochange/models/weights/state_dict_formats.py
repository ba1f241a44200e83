"""Recognises weights by the names of their tensors, and loads them into a network."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from geochange.errors import InputError
from geochange.models.changeclip.context_decoder import ContextOptions
from geochange.models.changeclip.decoder import DecoderOptions
from geochange.models.changeclip.image_tower import ResNetOptions, VisualOptions, VitOptions
from geochange.models.changeclip.network import ChangeClipOptions
from geochange.models.changeclip.text_tower import TextOptions

Tensors = Mapping[str, torch.Tensor]
_HEAD = 64  # the width of all attention heads of CLIP and ChangeCLIP
_COMPUTED = "relative_position_index"
_NOT_WEIGHTS = ("num_batches_tracked", _COMPUTED)
_SHOWN, _NAMED = 4, 100


def strip_prefixes(tensors: Tensors) -> dict[str, torch.Tensor]:
    """Remove the prefixes of wrappers: `module.` (data parallel), `model.` and `text.` (open_clip)."""
    names = list(tensors)
    for prefix in ("module.", "model."):
        if names and all(name.startswith(prefix) for name in names):
            names = [name[len(prefix) :] for name in names]
    plain = dict(zip(names, tensors.values(), strict=True))
    if "text.token_embedding.weight" in plain:
        plain = {name.removeprefix("text."): value for name, value in plain.items()}
    for extra in ("input_resolution", "context_length", "vocab_size"):
        plain.pop(extra, None)
    return plain


def recognise(tensors: Tensors) -> Literal["changeclip", "clip"]:
    """The model to which tensors with plain names belong. Raises InputError for another model."""
    if empty := next((name for name, tensor in tensors.items() if 0 in tensor.shape), None):
        raise InputError(f"its tensor {empty[:_NAMED]} holds no values")
    if "contexts2" in tensors and "decode_head.conv_seg.weight" in tensors:
        return "changeclip"
    if "text_projection" in tensors and any(name.startswith("visual.") for name in tensors):
        return "clip"
    some = ", ".join(name[:_NAMED] for name in list(tensors)[:_SHOWN]) or "none at all"
    raise InputError(f"neither ChangeCLIP's nor CLIP's weights; its tensors are {some} ...")


def _count(tensors: Tensors, prefix: str) -> int:
    return len({n[len(prefix) :].split(".")[0] for n in tensors if n.startswith(prefix)})


def _heads(width: int) -> int:
    return max(1, width // _HEAD)


def _grid(positions: torch.Tensor) -> int:
    return math.isqrt(positions.shape[0] - 1)


def infer_options(tensors: Tensors) -> ChangeClipOptions:
    """The options of the authors' network, derived from its tensors: variant, sizes, input size."""
    try:
        return ChangeClipOptions(
            visual=_visual(tensors),
            text=_text(tensors),
            context=_context(tensors),
            decoder=_decoder(tensors),
        )
    except KeyError as missing:
        raise InputError(f"ChangeCLIP's weights without the tensor {missing}") from None


def _visual(t: Tensors) -> VisualOptions:
    if "backbone.class_embedding" in t:
        width, embed = t["backbone.proj"].shape
        return replace(
            # The published ViT was trained with the class embedding added twice.
            VitOptions(double_class_token=True),
            layers=_count(t, "backbone.transformer.resblocks."),
            width=width,
            heads=_heads(width),
            grid=_grid(t["backbone.positional_embedding"]),
            embed=embed,
        )
    embed, channels = t["backbone.attnpool.c_proj.weight"].shape
    return ResNetOptions(
        blocks=tuple(_count(t, f"backbone.layer{stage}.") for stage in (1, 2, 3, 4)),
        width=channels // 32,
        heads=_heads(channels),
        grid=_grid(t["backbone.attnpool.positional_embedding"]),
        embed=embed,
    )


def _text(t: Tensors) -> TextOptions:
    words, width = t["text_encoder.token_embedding.weight"].shape
    contexts = t["contexts2"].shape[2]
    return TextOptions(
        layers=_count(t, "text_encoder.transformer.resblocks."),
        width=width,
        heads=_heads(width),
        words=words,
        places=t["text_encoder.positional_embedding"].shape[0] - contexts,
        contexts=contexts,
    )


def _context(t: Tensors) -> ContextOptions:
    width = t["context_decoder.memory_proj.1.weight"].shape[0]
    layers = _count(t, "context_decoder.decoder.")
    return ContextOptions(layers=layers, width=width, heads=_heads(width))


def _decoder(t: Tensors) -> DecoderOptions:
    block = "decode_head.layer1.up.layer.blocks.0."
    offsets, heads = t[block + "attn.relative_position_bias_table"].shape
    rank, width = t[block + "low_rank_bilinear.WQ.weight"].shape
    squeezed, joined = t["channel_att.0.conv1.conv.weight"].shape[:2]
    return DecoderOptions(
        channels=t["neck.fpn_convs.0.conv.weight"].shape[0],
        width=width,
        heads=heads,
        window=(round(offsets**0.5) + 1) // 2,
        rank=rank,
        squeeze=joined // squeezed,
    )


def load_into(network: nn.Module, tensors: Tensors) -> None:
    """Load all of `tensors` into `network`. Raises InputError as `refuse_misfit` does."""
    refuse_misfit(network.state_dict(), tensors)
    # The network computes its own indices. Those in the file may be for another size.
    own = {name: x for name, x in tensors.items() if not name.endswith(_COMPUTED)}
    network.load_state_dict(own, strict=False)


def refuse_misfit(wanted: Tensors, tensors: Tensors) -> None:
    """Refuse tensors that do not match `wanted`, the state of a network.

    Raises InputError, which lists the first tensors that are missing, unexpected or of another shape.
    """
    computed = {name for name in wanted if name.rsplit(".", 1)[-1] in _NOT_WEIGHTS}
    wrong = [f"{name} is missing" for name in wanted if name not in tensors.keys() | computed]
    wrong += [f"{name[:_NAMED]} has no place" for name in tensors if name not in wanted]
    wrong += [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(wanted[name].shape)}"
        for name in wanted
        if name in tensors and tensors[name].shape != wanted[name].shape
    ]
    if wrong:
        more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        raise InputError(f"the weights do not fit: {'; '.join(wrong[:_SHOWN])}{more}")
