"""`geochange weights`: what files of weights hold, and any network that is read as one of ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from geochange.errors import InputError, OptionError, OutputError
from geochange.models.weights import FOLDER, list_weights, locate, sensible, weights_folder
from geochange.places import check_folder

if TYPE_CHECKING:
    from geochange.models.card import Card
    from geochange.models.checkpoint import Checkpoint, ClipWeights
    from geochange.models.openclip import ClipShape

_KNOWN = {
    ("resnet", (3, 4, 6, 3), 64): "RN50",
    ("resnet", (3, 4, 23, 3), 64): "RN101",
    ("vit", 12, 768, 16): "ViT-B/16",
    ("vit", 12, 768, 32): "ViT-B/32",
    ("vit", 24, 1024, 14): "ViT-L/14",
}
"""CLIP's names for image towers: a ResNet's blocks and width; a ViT's blocks, width and patch."""


@click.group(epilog="Start with: geochange weights list   or: geochange weights show model.pth")
def weights() -> None:
    """Show, convert and list files of weights."""


@weights.command(epilog="Example: geochange weights show best_mIoU_iter_40000.pth")
@click.argument("file")
@click.option(
    "--json", "as_json", is_flag=True, help="print one object of JSON, vocabulary and all"
)
def show(file: str, as_json: bool) -> None:
    """Show what FILE holds, and that all of its tensors fit.

    FILE is a ChangeCLIP checkpoint, ours or the authors' .pth, or CLIP's weights; a bare name is
    looked for in the folder that GEOCHANGE_WEIGHTS names, too. Nothing in a pickle is run.
    """
    described = describe(file)
    if as_json:
        click.echo(json.dumps(described, ensure_ascii=False))
    else:
        _table(_rows(described))


def _of_our_own(command: Callable[..., None]) -> Callable[..., None]:
    """How weights of ours are written."""
    half = click.option("--half", is_flag=True, help="in float16: half the size, nearly one answer")
    threshold = click.option(
        "--threshold",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        help="probability from which a run calls a pixel changed; left out: as it is",
    )
    return half(threshold(command))


@weights.command(epilog="Example: geochange weights convert best.pth changeclip-rn50.safetensors")
@click.argument("source", metavar="IN")
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@_of_our_own
def convert(source: str, target: Path, half: bool, threshold: float | None) -> None:
    """Rewrite a ChangeCLIP checkpoint as one of ours.

    IN is a checkpoint of ours or the authors' .pth. OUT ends in .safetensors and holds tensors
    and a card of plain text, nothing that could run. It appears whole or not at all; a file that
    is there is replaced, unless it is IN itself.
    """
    target = target.expanduser()
    _check_target(target)
    path = locate(source)
    _check_apart(path, target)
    # Behind the checks: loading torch takes longer than any refusal may.
    from geochange.models.converting import convert as rewrite

    with _refusing(path):
        card = rewrite(path, target, half=half, threshold=threshold)
    _say_written(target, card)


@weights.command(
    epilog="Example: geochange weights average a.safetensors b.safetensors mean.safetensors"
)
@click.argument("sources", metavar="IN...", nargs=-1, required=True)
@click.argument("target", metavar="OUT", type=click.Path(path_type=Path))
@_of_our_own
def average(sources: tuple[str, ...], target: Path, half: bool, threshold: float | None) -> None:
    """Write the mean of several states of one network, which errs less than any of them.

    Each IN is a checkpoint of the same training, or of trainings that began with the same weights.
    OUT is as in `convert`; its threshold is the mean of theirs.
    """
    if len(sources) < 2:
        raise OptionError(f"a mean of {sources[0]} alone; name two states of a network, then OUT")
    target = target.expanduser()
    _check_target(target)
    paths = [locate(source) for source in sources]
    for path in paths:
        _check_apart(path, target)
    # Behind the checks, as above.
    from geochange.models.converting import average as write_mean

    card = write_mean(paths, target, half=half, threshold=threshold)
    _say_written(target, card)


def _say_written(target: Path, card: Card) -> None:
    click.echo(f"{target}: {_title(card)}, {target.stat().st_size / 1e6:,.0f} MB")


@weights.command("list", epilog="Example: GEOCHANGE_WEIGHTS=~/weights geochange weights list")
def list_command() -> None:
    """List the weights in the folder that GEOCHANGE_WEIGHTS names."""
    folder = weights_folder()
    if folder is None:
        click.echo(f"{FOLDER} is not set; name your folder of weights: export {FOLDER}=~/weights")
    elif not folder.is_dir():
        raise InputError(f"{FOLDER}={folder}: no such folder; create it, or name another one")
    elif not (files := list_weights()):
        click.echo(f"No weights (.pt, .pth, .bin or .safetensors) in {folder}.")
    else:
        _table({path.name: _what(path) for path in files})


def describe(file: str) -> dict[str, Any]:
    """What a file holds, as plain values. Raises InputError where it is no whole set of weights."""
    path = locate(file)
    with _refusing(path):
        return {"file": str(path), **_read(path, _changeclip, _clip)}


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """Refuse, in one line with the file's name, whatever its contents break."""
    try:
        with sensible(path):
            yield
    except InputError as error:
        raise InputError(f"{path}: {_line(_bare(error, path))}") from error


_Told = TypeVar("_Told")


def _read(
    path: Path, changeclip: Callable[[Checkpoint], _Told], clip: Callable[[ClipWeights], _Told]
) -> _Told:
    """Read weights of either kind, and tell of them as that kind is told of."""
    from geochange.models.checkpoint import read_checkpoint, read_clip

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
    card, network = checkpoint.card, checkpoint.build()
    return {
        "kind": "ChangeCLIP",
        "variant": _variant(card),
        "parameters": sum(p.numel() for p in network.parameters()),
        "input_px": _input_px(card),
        "vocabulary_size": len(card.vocabulary),
        **json.loads(card.to_json()),
    }


def _clip(found: ClipWeights) -> dict[str, Any]:
    from geochange.models.foreign import fill
    from geochange.models.openclip import build_clip

    shape = _shape(found)
    clip = build_clip(shape, found.quickgelu)
    fill(clip, found.tensors)
    return {
        "kind": "CLIP",
        "variant": _tower(shape.vision),
        "parameters": sum(p.numel() for p in clip.parameters()),
        "input_px": shape.vision["image_size"],
        "options": {"embed": shape.embed, "visual": shape.vision, "text": shape.text},
        "quickgelu": found.quickgelu,
    }


def _shape(found: ClipWeights) -> ClipShape:
    from geochange.models.openclip import read_shape

    try:
        return read_shape(found.tensors)
    except KeyError as missing:
        raise InputError(f"CLIP's weights without the tensor {missing}") from None


def _variant(card: Card) -> str:
    from geochange.models.clip_visual import ResNetOptions

    visual = card.options.visual
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
    from geochange.models.clip_visual import ResNetOptions

    visual = card.options.visual
    return visual.grid * (32 if isinstance(visual, ResNetOptions) else 16)


def _title(card: Card) -> str:
    return f"ChangeCLIP {_variant(card)}, {_input_px(card)} px, prompts {card.prompts}"


def _what(path: Path) -> str:
    """A file in a line. Whether its tensors fit is not looked at: `show` does, and takes seconds."""
    try:
        with _refusing(path):
            return _read(
                path, lambda c: _title(c.card), lambda c: f"CLIP {_tower(_shape(c).vision)}"
            )
    except InputError as error:
        return f"cannot be used: {_bare(error, path)}"


def _bare(error: InputError, path: Path) -> str:
    return str(error).removeprefix(f"{path}: ")


def _line(text: str) -> str:
    """A file's own words on one line, without what would steer the terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def _rows(described: Mapping[str, Any]) -> dict[str, str]:
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
        "prompts": described["prompts"],
        "CLIP": "its own, in the file" if described["clip"] else "not in the file",
        "vocabulary": f"{described['vocabulary_size']} names",
        "metrics": _pairs(described["metrics"]) or "none recorded",
        "threshold": f"{described['threshold']:g}",
        "provenance": _pairs(described["provenance"]) or "none recorded",
        "licence": str(described["licence"]),
    }


def _parts(options: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """Options as rows: those of each part of the network, and what belongs to none."""
    alone = {name: value for name, value in options.items() if not isinstance(value, dict)}
    parts = [(f"  {name}", value) for name, value in options.items() if isinstance(value, dict)]
    return [("options", alone), *parts]


def _pairs(values: Any) -> str:
    if not isinstance(values, Mapping):
        return str(values)  # a card that another hand wrote
    return ", ".join(f"{name} {_plain(value)}" for name, value in values.items())


def _plain(value: Any) -> str:
    return "-".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _table(rows: Mapping[str, str]) -> None:
    """Names and values in two columns, on standard output."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        # Text, since a file's own words are no markup.
        table.add_row(Text(_line(name)), Text(_line(value)))
    Console().print(table)


def _check_target(target: Path) -> None:
    if target.suffix != ".safetensors":
        raise OptionError(
            f"{target}: our weights are .safetensors; name it {target.stem}.safetensors"
        )
    if target.is_dir():
        raise OutputError(f"{target} is a folder: name a file in it")
    check_folder(target)


def _check_apart(source: Path, target: Path) -> None:
    """Refuse to write over IN, also by the name under which OUT grows until it is whole."""
    for taken in (target, target.with_name(f"{target.name}.part")):
        if taken.exists() and taken.samefile(source):
            raise OutputError(f"{target}: would overwrite the input {source}; give another name")
