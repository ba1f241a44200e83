"""The only module that imports open_clip: CLIP's layers, models, tokenizer and published weights.

open_clip imports torchvision and timm, which takes seconds. So each function imports what it needs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from geochange.models.changeclip.layers import DropPath

MEAN = (0.48145466, 0.4578275, 0.40821073)
"""The mean that CLIP subtracts from RGB in 0-1; STD is the divisor."""
STD = (0.26862954, 0.26130258, 0.27577711)


def transformer(width: int, layers: int, heads: int, drop_path: float = 0.0) -> nn.Module:
    """CLIP's transformer: pre-norm blocks with QuickGELU, named `resblocks`, batch first.

    The drop path rate grows linearly over the blocks, from 0 to `drop_path`.
    """
    from open_clip.transformer import (  # type: ignore[import-untyped, unused-ignore]  # no types
        QuickGELU,
        Transformer,
    )

    made: nn.Module = Transformer(width, layers, heads, act_layer=QuickGELU)
    for i, block in enumerate(blocks_of(made)):
        rate = drop_path * i / max(1, layers - 1)
        # Layer scale acts at the end of a residual branch, which is also the place of drop path.
        block.ls_1, block.ls_2 = DropPath(rate), DropPath(rate)
    return made


def blocks_of(transformer: nn.Module) -> nn.ModuleList:
    """The residual blocks of a `transformer`, in order."""
    blocks = transformer.get_submodule("resblocks")
    assert isinstance(blocks, nn.ModuleList)
    return blocks


def modified_resnet(
    blocks: Sequence[int], width: int, heads: int, grid: int, embed: int
) -> nn.Module:
    """CLIP's ResNet (three-convolution stem, anti-aliased strides) with its attention pool."""
    from open_clip.modified_resnet import (  # type: ignore[import-untyped, unused-ignore]  # no types
        ModifiedResNet,
    )

    made: nn.Module = ModifiedResNet(
        layers=list(blocks), output_dim=embed, heads=heads, image_size=grid * 32, width=width
    )
    return made


@lru_cache(maxsize=1)
def bpe_encoder() -> Callable[[str], list[int]]:
    """CLIP's byte-pair encoding of a text, without start and end tokens."""
    import open_clip  # type: ignore[import-untyped, unused-ignore]  # no types

    encode: Callable[[str], list[int]] = open_clip.SimpleTokenizer().encode
    return encode


@dataclass(frozen=True, slots=True)
class ClipShape:
    """The sizes of a CLIP model. They do not tell whether the model uses QuickGELU."""

    embed: int
    vision: dict[str, Any]
    text: dict[str, Any]


def read_shape(tensors: Mapping[str, torch.Tensor]) -> ClipShape:
    """Infer the sizes of a CLIP model from its tensors, which have OpenAI's or open_clip's names.

    Raises KeyError with the missing name if the tensors are not those of a CLIP model.
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
    """An open_clip CLIP of this shape, with random float32 weights."""
    import open_clip

    made: nn.Module = open_clip.CLIP(
        shape.embed,
        vision_cfg=open_clip.CLIPVisionCfg(**shape.vision),
        text_cfg=open_clip.CLIPTextCfg(**shape.text),
        quick_gelu=quickgelu,
    )
    return made.eval()


@dataclass(frozen=True, slots=True)
class Published:
    """Weights that open_clip lists by model and tag. `url` is empty for Hugging Face."""

    model: str
    tag: str
    url: str
    hub: str
    quickgelu: bool

    @property
    def file(self) -> str:
        """The file name of the weights."""
        return self.url.rsplit("/", 1)[-1] or f"{self.model}-{self.tag}.safetensors"


def find_published(model: str, tag: str) -> Published | None:
    """The entry of a model and a tag in open_clip's list; None if it has no such pair."""
    import open_clip

    entry: dict[str, Any] = open_clip.pretrained.get_pretrained_cfg(model, tag)
    if not entry:
        return None
    # The entry says how the weights were trained. The model name may omit it (an error of 1e-2).
    quick = bool(entry.get("quick_gelu", "quickgelu" in model))
    return Published(model, tag, entry.get("url", ""), entry.get("hf_hub", ""), quick)


def download(entry: Published) -> str:
    """Download published weights into open_clip's cache and check their hash. Returns the path.

    Raises the errors of the download (OSError, RuntimeError for a wrong hash).
    """
    from open_clip.pretrained import (  # type: ignore[import-untyped, unused-ignore]  # no types
        download_pretrained,
        download_pretrained_from_url,
    )

    if entry.url:
        return str(download_pretrained_from_url(entry.url))
    return str(download_pretrained({"hf_hub": entry.hub}))
