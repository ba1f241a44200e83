"""Converts a checkpoint, or the mean of several checkpoints, to the format of geochange."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import mean

import torch

from geochange.errors import InputError
from geochange.models.changeclip.efficientnet import EfficientNetOptions
from geochange.models.changeclip.land_cover_network import (
    LandNetworkOptions,
    land_tensors,
    without_place,
)
from geochange.models.changeclip.network import ChangeClip
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.models.weights.locate import as_input_error
from geochange.models.weights.model_card import Card
from geochange.models.weights.state_dict_formats import load_into


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    half: bool = False,
    threshold: float | None = None,
) -> Card:
    """Rewrite a checkpoint in the format of geochange. Returns its card.

    half: store float16, which halves the size; readers convert it back to float32. threshold: the new
    threshold; None keeps that of the checkpoint.
    """
    return _rewrite(read_checkpoint(source), target, half=half, threshold=threshold)


def average(
    sources: Sequence[str | os.PathLike[str]],
    target: str | os.PathLike[str],
    *,
    half: bool = False,
    threshold: float | None = None,
) -> Card:
    """Write the mean of several checkpoints of one network; see `mean_checkpoint`. Returns its card."""
    return _rewrite(mean_checkpoint(sources), target, half=half, threshold=threshold)


def join_land_network(
    source: str | os.PathLike[str],
    land: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    half: bool = False,
    threshold: float | None = None,
    then: Callable[[Checkpoint], Checkpoint] | None = None,
) -> Card:
    """Write a checkpoint with the tower and the land head of another beside its own network.

    An opinion of change that a land network had comes with it; so does a place head, if both have the
    same CLIP. then: what becomes of both before they are written. Returns the card. Raises InputError
    where `source` has a land head, or `land` has none.
    """
    network, other = _read(source), _read(land)
    if network.card.options.land is not None:
        raise InputError(f"{source}: it sees what stands there by itself; give one that does not")
    if network.card.options.bands is not None:
        raise InputError(f"{source}: sees other bands than RGB, which a land network needs")
    other = for_clip(other, network.clip)
    sizes, tensors = _land_of(other.card), other.land or land_tensors(other.tensors)
    if sizes is None:
        raise InputError(f"{land}: it has no land head; give one of configs/lite.yaml")
    joined = replace(network, card=replace(network.card, land=sizes), land=tensors)
    return _rewrite(then(joined) if then else joined, target, half=half, threshold=threshold)


def for_clip(checkpoint: Checkpoint, clip: Mapping[str, torch.Tensor]) -> Checkpoint:
    """The checkpoint as its land network goes beside this CLIP: another one leaves no place head."""
    land = checkpoint.card.land
    if land is None or land.place is None:
        return checkpoint
    if _shapes(clip) == _shapes(checkpoint.clip) and _same(checkpoint.clip, clip):
        return checkpoint
    card = replace(checkpoint.card, land=replace(land, place=None))
    return replace(checkpoint, card=card, land=without_place(checkpoint.land))


def _land_of(card: Card) -> LandNetworkOptions | None:
    """The land network that is beside a network, or part of it."""
    visual, head = card.options.visual, card.options.land
    if head is None or not isinstance(visual, EfficientNetOptions):
        return card.land
    return LandNetworkOptions(visual, head)


def mean_checkpoint(sources: Sequence[str | os.PathLike[str]]) -> Checkpoint:
    """A checkpoint whose weights are the means of the weights of several checkpoints.

    Checkpoints of a training at a high learning rate have different errors, and their mean has smaller
    ones (Izmailov et al., UAI 2018, sec. 3). Threshold and temperature are averaged too. Integers and
    the rest of the card come from the first checkpoint; its metrics and the confidence of polygons are
    dropped. Raises InputError if
    the checkpoints are not of the same network.
    """
    first = _read(sources[0])
    total = {name: x.double() for name, x in first.tensors.items() if x.is_floating_point()}
    cards = [first.card]
    for source in sources[1:]:
        other = _read(source)
        if differing := _describe_difference(first, other):
            raise InputError(f"{source}: {differing} than {sources[0]}; give states of one network")
        for name, tensor in total.items():
            tensor += other.tensors[name].double()
        cards.append(other.card)
    tensors = {
        name: (total[name] / len(sources)).to(x.dtype) if name in total else x
        for name, x in first.tensors.items()
    }
    card = replace(
        first.card,
        threshold=mean([card.threshold for card in cards]),
        temperature=mean([card.temperature for card in cards]),
        metrics={},
        confidence=None,
        provenance={**first.card.provenance, "mean of": f"{len(sources)} states"},
    )
    return replace(first, card=card, tensors=tensors)


def _read(source: str | os.PathLike[str]) -> Checkpoint:
    with as_input_error(source):
        return read_checkpoint(source)


def _describe_difference(first: Checkpoint, other: Checkpoint) -> str:
    """How two checkpoints differ in their network; empty if they do not."""
    for what, ours, theirs in (
        ("another shape", first.card.options, other.card.options),
        ("other names of classes", first.card.vocabulary, other.card.vocabulary),
        ("other prompts", first.card.prompts, other.card.prompts),
        ("other tensors", _shapes(first.tensors), _shapes(other.tensors)),
        ("another CLIP of its own", _shapes(first.clip), _shapes(other.clip)),
        ("another land network", _shapes(first.land), _shapes(other.land)),
    ):
        if ours != theirs:
            return what
    if not _same(first.land, other.land):
        return "another land network"
    return "" if _same(first.clip, other.clip) else "another CLIP of its own"


def _same(first: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    return all(torch.equal(x, other[name]) for name, x in first.items())


def _shapes(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Size]:
    return {name: x.shape for name, x in tensors.items()}


def _rewrite(
    checkpoint: Checkpoint,
    target: str | os.PathLike[str],
    *,
    half: bool = False,
    threshold: float | None = None,
) -> Card:
    """Write a checkpoint whose tensors fit its network; see `convert`."""
    load_into(ChangeClip(checkpoint.card.options), checkpoint.tensors)
    if half:
        parts = (checkpoint.tensors, checkpoint.clip, checkpoint.land)
        checkpoint = Checkpoint(checkpoint.card, *map(_to_half, parts))
    if threshold is not None:
        card = replace(checkpoint.card, threshold=threshold)
        checkpoint = replace(checkpoint, card=card)
    write_checkpoint(target, checkpoint)
    return checkpoint.card


def _to_half(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: x.half() if x.is_floating_point() else x for name, x in tensors.items()}
