"""The contents of files of weights, as JSON values, as rows of a table, or in one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from geochange.cli.onnx_tables import onnx_in_a_line
from geochange.errors import InputError
from geochange.formatting import printable
from geochange.models.weights.locate import ONNX, as_input_error, locate_weights

if TYPE_CHECKING:
    from geochange.models.weights.checkpoint import Checkpoint, ClipWeights
    from geochange.models.weights.model_card import Card
    from geochange.models.weights.openclip import ClipShape

_KNOWN = {
    ("resnet", (3, 4, 6, 3), 64): "RN50",
    ("resnet", (3, 4, 23, 3), 64): "RN101",
    ("vit", 12, 768, 16): "ViT-B/16",
    ("vit", 12, 768, 32): "ViT-B/32",
    ("vit", 24, 1024, 14): "ViT-L/14",
}
"""CLIP's names of image towers: a ResNet's blocks and width; a ViT's blocks, width and patch."""


def describe(file: str) -> dict[str, Any]:
    """The contents of a file as JSON values. Raises InputError if the weights are incomplete."""
    path = locate_weights(file)
    with naming_the_file(path):
        return {"file": str(path), **_read(path, _changeclip, _clip)}


def summary_line(path: Path) -> str:
    """The contents of a file in one line. Its tensors are not checked, which would take seconds."""
    try:
        with naming_the_file(path):
            if path.suffix == ONNX:
                return onnx_in_a_line(path)
            return _read(
                path, lambda c: title_of(c.card), lambda c: f"CLIP {_tower(_shape(c).vision)}"
            )
    except InputError as error:
        return f"cannot be used: {_bare(error, path)}"


def rows_of(described: Mapping[str, Any]) -> dict[str, str]:
    """The result of `describe` as rows of a table."""
    side = described["input_px"]
    rows = {
        **{name: described[name] for name in ("file", "kind", "variant")},
        "parameters": f"{described['parameters']:,}",
        "input size": f"{side} x {side} px",
        **{name: _pairs(part) for name, part in _parts(described["options"])},
    }
    if described["kind"] == "CLIP":
        return rows | {"QuickGELU": "yes" if described["quickgelu"] else "no"}
    return rows | {
        "bands": _bands(described["options"].get("bands")),
        "prompts": described["prompts"],
        "CLIP": "its own, in the file" if described["clip"] else "not in the file",
        "land": _land(described),
        "vocabulary": f"{described['vocabulary_size']} names",
        "metrics": _pairs(described["metrics"]) or "none recorded",
        "threshold": f"{described['threshold']:g}",
        "provenance": _pairs(described["provenance"]) or "none recorded",
        "licence": str(described["licence"]),
    }


def _land(described: Mapping[str, Any]) -> str:
    """What sees what stands on each pixel."""
    if described["land"] is not None:
        return f"a network of its own, in the file: {_plain(described['land']['head']['classes'])}"
    head = described["options"].get("land")
    return f"a head of the network: {_plain(head['classes'])}" if head else "not seen"


def _parts(options: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Options as rows: those of each part of the network, and the rest."""
    alone = {name: value for name, value in options.items() if not isinstance(value, dict)}
    parts = [
        (f"  {name}", value)
        for name, value in options.items()
        if isinstance(value, dict) and name != "bands"
    ]
    return [("options", alone), *parts]


def _bands(bands: Mapping[str, Any] | None) -> str:
    """What a date consists of, with mean and deviation of each band."""
    if bands is None:
        return "RGB in 0-255"
    each = zip(bands["names"], bands["mean"], bands["std"], strict=True)
    told = ", ".join(f"{name} {mean:.4g} ± {std:.3g}" for name, mean, std in each)
    return f"{told} (decibels)" if bands["unit"] == "db" else told


def _pairs(values: Any) -> str:
    if not isinstance(values, Mapping):
        return str(values)  # a card of another program
    return ", ".join(f"{name} {_plain(value)}" for name, value in values.items())


def _plain(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@contextmanager
def naming_the_file(path: Path) -> Iterator[None]:
    """Turn any failure on the contents of a file into one line that names the file."""
    try:
        with as_input_error(path):
            yield
    except InputError as error:
        raise InputError(f"{path}: {printable(_bare(error, path))}") from error


_Told = TypeVar("_Told")


def _read(
    path: Path, changeclip: Callable[[Checkpoint], _Told], clip: Callable[[ClipWeights], _Told]
) -> _Told:
    """Read weights of either kind, and describe them by the function of that kind."""
    from geochange.models.weights.checkpoint import read_checkpoint, read_clip

    try:
        checkpoint = read_checkpoint(path)
    except InputError as refused:
        try:
            found = read_clip(str(path))
        except InputError:
            raise refused from None
        return clip(found)
    return changeclip(checkpoint)


def _changeclip(checkpoint: Checkpoint) -> dict[str, Any]:
    card, parts = checkpoint.card, (checkpoint.build(), checkpoint.build_land())
    return {
        "kind": "ChangeCLIP",
        "variant": _variant(card),
        "parameters": sum(p.numel() for part in parts if part for p in part.parameters()),
        "input_px": _input_px(card),
        "vocabulary_size": len(card.vocabulary),
        **json.loads(card.to_json()),
    }


def _clip(found: ClipWeights) -> dict[str, Any]:
    from geochange.models.weights.openclip import build_clip
    from geochange.models.weights.state_dict_formats import load_into

    shape = _shape(found)
    clip = build_clip(shape, found.quickgelu)
    load_into(clip, found.tensors)
    return {
        "kind": "CLIP",
        "variant": _tower(shape.vision),
        "parameters": sum(p.numel() for p in clip.parameters()),
        "input_px": shape.vision["image_size"],
        "options": {"embed": shape.embed, "visual": shape.vision, "text": shape.text},
        "quickgelu": found.quickgelu,
    }


def _shape(found: ClipWeights) -> ClipShape:
    from geochange.models.weights.openclip import read_shape

    try:
        return read_shape(found.tensors)
    except KeyError as missing:
        raise InputError(f"CLIP's weights without the tensor {missing}") from None


def _variant(card: Card) -> str:
    from geochange.models.changeclip.efficientnet import EfficientNetOptions
    from geochange.models.changeclip.image_tower import ResNetOptions

    visual = card.options.visual
    if isinstance(visual, EfficientNetOptions):
        return "EfficientNet-Lite0"
    blocks = visual.blocks if isinstance(visual, ResNetOptions) else visual.layers
    return _tower({"layers": blocks, "width": visual.width, "patch_size": 16})


def _tower(vision: Mapping[str, Any]) -> str:
    blocks, width, patch = vision["layers"], vision["width"], vision["patch_size"]
    if isinstance(blocks, int):
        own = f"ViT of {blocks} blocks, {width} wide, patches of {patch} px"
        return _KNOWN.get(("vit", blocks, width, patch), own)
    own = f"ResNet of {'-'.join(map(str, blocks))} blocks, {width} wide"
    return _KNOWN.get(("resnet", blocks, width), own)


def _input_px(card: Card) -> int:
    from geochange.models.changeclip.image_tower import VitOptions

    visual = card.options.visual
    return visual.grid * (16 if isinstance(visual, VitOptions) else 32)


def title_of(card: Card) -> str:
    """The network in a few words."""
    return f"ChangeCLIP {_variant(card)}, {_input_px(card)} px, prompts {card.prompts}"


def _bare(error: InputError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")
