"""The one door to open_clip: CLIP's own layers, models, tokenizer and list of published weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import open_clip  # type: ignore[import-untyped, unused-ignore]  # open_clip ships no types
import torch
from open_clip.modified_resnet import (  # type: ignore[import-untyped, unused-ignore]  # as above
    ModifiedResNet,
)
from open_clip.pretrained import (  # type: ignore[import-untyped, unused-ignore]  # as above
    download_pretrained,
    download_pretrained_from_url,
)
from open_clip.transformer import (  # type: ignore[import-untyped, unused-ignore]  # as above
    QuickGELU,
    Transformer,
)
from torch import nn

from geochange.models.changeclip.layers import DropPath

MEAN: tuple[float, float, float] = open_clip.OPENAI_DATASET_MEAN
"""What CLIP subtracts from RGB in 0-1, and what it divides by."""
STD: tuple[float, float, float] = open_clip.OPENAI_DATASET_STD


def transformer(width: int, layers: int, heads: int, drop_path: float = 0.0) -> nn.Module:
    """CLIP's transformer: `layers` pre-norm blocks with QuickGELU, called `resblocks`, batch first.

    drop_path grows linearly over the blocks from 0 to the given rate.
    """
    made: nn.Module = Transformer(width, layers, heads, act_layer=QuickGELU)
    for i, block in enumerate(blocks_of(made)):
        rate = drop_path * i / max(1, layers - 1)
        # open_clip's place for a layer scale is where a branch joins the stream: drop path's too.
        block.ls_1, block.ls_2 = DropPath(rate), DropPath(rate)
    return made


def blocks_of(transformer: nn.Module) -> nn.ModuleList:
    """The residual blocks of what `transformer` made, in order."""
    blocks = transformer.get_submodule("resblocks")
    assert isinstance(blocks, nn.ModuleList)
    return blocks


def modified_resnet(
    blocks: Sequence[int], width: int, heads: int, grid: int, embed: int
) -> nn.Module:
    """CLIP's ResNet (three-convolution stem, anti-aliased strides) with its attention pool."""
    made: nn.Module = ModifiedResNet(
        layers=list(blocks), output_dim=embed, heads=heads, image_size=grid * 32, width=width
    )
    return made


@lru_cache(maxsize=1)
def encoder() -> Callable[[str], list[int]]:
    """CLIP's byte-pair encoding of a text, without start and end."""
    encode: Callable[[str], list[int]] = open_clip.SimpleTokenizer().encode
    return encode


@dataclass(frozen=True, slots=True)
class ClipShape:
    """What a CLIP model's tensors tell about it; whether it wants QuickGELU they do not tell."""

    embed: int
    vision: dict[str, Any]
    text: dict[str, Any]


def read_shape(tensors: Mapping[str, torch.Tensor]) -> ClipShape:
    """Infer a CLIP model's sizes from its tensors, named as OpenAI and open_clip name them.

    Raises KeyError, with the missing name, where the tensors are not those of a CLIP model.
    """
    text_width = tensors["ln_final.weight"].shape[0]
    text = {
        "context_length": tensors["positional_embedding"].shape[0],
        "vocab_size": tensors["token_embedding.weight"].shape[0],
        "width": text_width,
        "heads": max(1, text_width // 64),
        "layers": _count(tensors, "transformer.resblocks."),
    }
    vision = _vit_shape(tensors) if "visual.proj" in tensors else _resnet_shape(tensors)
    return ClipShape(tensors["text_projection"].shape[1], vision, text)


def _vit_shape(tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    width, _, patch, _ = tensors["visual.conv1.weight"].shape
    grid = round((tensors["visual.positional_embedding"].shape[0] - 1) ** 0.5)
    layers = _count(tensors, "visual.transformer.resblocks.")
    head = min(64, width)
    sizes = {"width": width, "patch_size": patch, "image_size": grid * patch}
    return {"layers": layers, "head_width": head, **sizes}


def _resnet_shape(tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    grid = round((tensors["visual.attnpool.positional_embedding"].shape[0] - 1) ** 0.5)
    layers = tuple(_count(tensors, f"visual.layer{stage}.") for stage in (1, 2, 3, 4))
    width = tensors["visual.layer1.0.conv1.weight"].shape[0]
    return {"layers": layers, "width": width, "image_size": grid * 32, "patch_size": None}


def _count(tensors: Mapping[str, torch.Tensor], prefix: str) -> int:
    return len({n[len(prefix) :].split(".")[0] for n in tensors if n.startswith(prefix)})


def build_clip(shape: ClipShape, quickgelu: bool) -> nn.Module:
    """An open_clip CLIP of this shape, with random weights and float32."""
    made: nn.Module = open_clip.CLIP(
        shape.embed,
        vision_cfg=open_clip.CLIPVisionCfg(**shape.vision),
        text_cfg=open_clip.CLIPTextCfg(**shape.text),
        quick_gelu=quickgelu,
    )
    return made.eval()


@dataclass(frozen=True, slots=True)
class Published:
    """Weights open_clip knows by a model name and a tag. `url` may be empty (Hugging Face only)."""

    model: str
    tag: str
    url: str
    hub: str
    quickgelu: bool

    @property
    def file(self) -> str:
        """The name the weights' file goes by."""
        return self.url.rsplit("/", 1)[-1] or f"{self.model}-{self.tag}.safetensors"


def published(model: str, tag: str) -> Published | None:
    """Look up a model name and tag in open_clip's list; None where it knows no such pair."""
    entry: dict[str, Any] = open_clip.pretrained.get_pretrained_cfg(model, tag)
    if not entry:
        return None
    # The tag says what the weights were trained with; a model's name may forget it (off by 1e-2).
    quick = bool(entry.get("quick_gelu", "quickgelu" in model))
    return Published(model, tag, entry.get("url", ""), entry.get("hf_hub", ""), quick)


def download(entry: Published) -> str:
    """Fetch published weights into open_clip's cache, checked by hash; returns the file's place.

    Raises whatever the network raises (OSError, RuntimeError on a wrong hash).
    """
    if entry.url:
        return str(download_pretrained_from_url(entry.url))
    return str(download_pretrained({"hf_hub": entry.hub}))
