"""Other classes: a checkpoint as the start of a network that tells other land classes apart.

What does not depend on the classes stays. A class of the same name keeps its weights. A new class
starts with random weights in the head, and with none where the network of change looks at classes,
so that this sees at first what it saw before, less the classes that are gone.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from geochange.errors import InputError
from geochange.models.changeclip.land_cover_head import LandOptions
from geochange.models.changeclip.land_cover_network import without_place
from geochange.models.changeclip.network import ChangeClip, ChangeClipOptions
from geochange.models.weights.checkpoint import Checkpoint
from geochange.models.weights.model_card import Card

HEAD = "land_head.classify"
LOOKING = {"neck.lateral_convs.0.conv.weight": 2, "minus_conv.0.conv.weight": 1}
"""The weights among whose inputs are class probabilities, and of how many dates."""


def with_classes(
    checkpoint: Checkpoint, classes: tuple[str, ...], sizes: ChangeClipOptions
) -> Checkpoint:
    """A checkpoint whose own land head tells these classes apart.

    A network without a land head, but with a land network beside it, as the default one, gives tower
    and head; the network of change is then that of `sizes`, from random weights. CLIP of its own and
    prompts stay. Raises InputError without any land head.
    """
    if checkpoint.card.options.land is None:
        checkpoint = _around_land_network(checkpoint, sizes)
    known = checkpoint.card.options.land
    assert known is not None
    if known.classes == classes:
        return checkpoint
    options = replace(checkpoint.card.options, land=replace(known, classes=classes))
    fresh = ChangeClip(options).state_dict()
    kept = {known.classes.index(name): i for i, name in enumerate(classes) if name in known.classes}
    tensors = dict(checkpoint.tensors)
    for leaf in ("weight", "bias"):
        rows = fresh[f"{HEAD}.{leaf}"].clone()
        for old, new in kept.items():
            rows[new] = tensors[f"{HEAD}.{leaf}"][old]
        tensors[f"{HEAD}.{leaf}"] = rows
    tower = options.visual.channels[0]
    for name, dates in LOOKING.items():
        parts = tensors[name].chunk(dates, dim=1)
        tensors[name] = torch.cat([_other_inputs(x, tower, known, classes) for x in parts], dim=1)
    card = replace(checkpoint.card, options=options, colours=())
    return replace(checkpoint, card=card, tensors=tensors)


def _other_inputs(
    weights: torch.Tensor, tower: int, known: LandOptions, classes: tuple[str, ...]
) -> torch.Tensor:
    """(out, in, 1, 1) weights of one date for other classes, which come after `tower` inputs."""
    first, old, last = weights.split(
        (tower, len(known.classes), weights.shape[1] - tower - len(known.classes)), dim=1
    )
    new = weights.new_zeros(len(weights), len(classes), 1, 1)
    for number, name in enumerate(classes):
        if name in known.classes:
            new[:, number] = old[:, known.classes.index(name)]
    return torch.cat([first, new, last], dim=1)


def _around_land_network(checkpoint: Checkpoint, sizes: ChangeClipOptions) -> Checkpoint:
    """A network of its land network's tower and head; the rest has random weights."""
    beside = checkpoint.card.land
    if beside is None or sizes.land is None:
        raise InputError(
            "network.heads semantic: the network to start from tells no classes by pixel; start from "
            "changeclip-small, from imagenet, or from a semantic checkpoint, with network.variant lite"
        )
    visual = replace(beside.visual, embed=sizes.visual.embed)
    options = replace(sizes, visual=visual, land=beside.head)
    network: nn.Module = ChangeClip(options)
    tensors = {**network.state_dict(), **checkpoint.land}
    card = Card(options, checkpoint.card.vocabulary, checkpoint.card.prompts)
    # The second opinion and the names of places belong to the two networks side by side.
    kept = {n: x for n, x in without_place(tensors).items() if not n.startswith("opinion.")}
    return Checkpoint(card, kept)
