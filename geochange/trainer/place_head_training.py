"""Training of the place head: a land network learns to tell places in the text space of a CLIP.

Tower and CLIP are locked, so the tower sees every view of a scene once, and the head learns from what it
saw. Ground that is none of the classes is taught to fit all names alike (outlier exposure, Hendrycks et
al., ICLR 2019): else some name always fits best.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from geochange.errors import InputError
from geochange.models.changeclip.clip_alignment import caption_tokens
from geochange.models.changeclip.land_network import LandNetwork
from geochange.models.changeclip.place_head import PlaceHead, PlaceOptions
from geochange.models.inference.precision import choose_dtype
from geochange.models.prompts import Names, published_vocabulary
from geochange.models.weights.checkpoint import Checkpoint
from geochange.models.weights.openclip import build_clip, read_shape
from geochange.models.weights.state_dict_formats import load_into
from geochange.progress import Watch, no_watch
from geochange.training.data.random_views import random_view
from geochange.training.data.scenes import (
    LabelledScenes,
    caption_targets,
    least_sure_score,
    names_of,
    read_scenes,
    top_accuracy,
)
from geochange.training.planting import Library, read_library

SCENES = "scenes/ucm"
BATCH = 16
LEAST_NAME_PRECISION = 0.99
"""See `clip_pretraining`."""

LEAST_SPREAD = 1e-4
"""Channels that vary less than this are taken to vary so much."""


@dataclass(frozen=True)
class PlaceTrainingOptions:
    """How a place head learns.

    side: of its pictures, in pixels. views: random views of each scene, besides the scene itself; every third has half the side. ground:
    squares of ground that is none of the classes. ground_weight: of their loss. batch: views and squares
    of a step. dropout: of what the tower saw.
    """

    side: int = 256
    views: int = 8
    ground: int = 960
    ground_weight: float = 0.05
    steps: int = 2000
    batch: tuple[int, int] = (256, 64)
    rate: float = 3e-3
    weight_decay: float = 0.3
    dropout: float = 0.1
    smoothing: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class _Views:
    """What the tower saw of views of scenes, and their classes; and of other ground."""

    seen: torch.Tensor
    labels: torch.Tensor
    ground: torch.Tensor


DEFAULT_OPTIONS = PlaceTrainingOptions()


def with_place_head(
    checkpoint: Checkpoint,
    root: Path,
    options: PlaceTrainingOptions = DEFAULT_OPTIONS,
    watch: Watch = no_watch,
) -> Checkpoint:
    """The checkpoint with a place head in its land network, learnt from the pictures in `root`.

    root: what `geochange train configs/default.yaml` learns from. The metrics of the card say how often
    the class of a kept-out scene is first, and among the first three. Raises InputError where there are
    no scenes or no other pictures, and for a checkpoint without a land network or without its own CLIP.
    """
    clip = checkpoint.own_clip()
    if checkpoint.card.land is None or clip is None:
        raise InputError(
            "a place head reads a land network and needs a CLIP in the same file; give a network of "
            "configs/default.yaml"
        )
    taught, judged = (
        read_scenes(root / SCENES, options.side, kept_out=kept) for kept in (False, True)
    )
    captions = _captions(taught.classes)
    names = _embedded(clip.tensors, captions)
    torch.manual_seed(options.seed)
    network = _with_fresh_head(checkpoint, names.shape[1], options.side)
    views = _look(network, taught, read_library(root), options, watch)
    assert network.place is not None
    head = network.place.requires_grad_(True)
    targets = caption_targets(taught.classes, captions, options.smoothing)
    _fit(head, views, names, targets, options, watch)
    logits = head.eval().requires_grad_(False)(_pooled(network, judged.pictures), names)
    place = PlaceOptions(options.side, least_score=_least_score(logits, judged, captions))
    metrics = {**checkpoint.card.metrics, **_accuracy(logits, judged, captions)}
    card = replace(checkpoint.card, land=replace(network.options, place=place), metrics=metrics)
    return replace(checkpoint, card=card, land=network.state_dict())


def _with_fresh_head(checkpoint: Checkpoint, embed: int, side: int) -> LandNetwork:
    """The land network of a checkpoint with a place head that has learnt nothing."""
    land = checkpoint.card.land
    assert land is not None
    sizes = replace(land, place=PlaceOptions(side), visual=replace(land.visual, embed=embed))
    network = LandNetwork(sizes)
    own = {name: x for name, x in checkpoint.land.items() if not name.startswith("place.")}
    network.load_state_dict(own, strict=False)
    return network.eval().requires_grad_(False)


def _captions(classes: Sequence[str]) -> Names:
    """The published vocabulary, followed by the other names of the classes."""
    own = [name for scene in classes for name in names_of(scene)]
    return tuple(dict.fromkeys([*published_vocabulary(), *own]))


@torch.no_grad()
def _embedded(tensors: Mapping[str, torch.Tensor], captions: Names) -> torch.Tensor:
    """(caption, embed) of length 1."""
    clip: Any = build_clip(read_shape(tensors), quickgelu=True)
    load_into(clip, tensors)
    tokens = caption_tokens(captions, clip.context_length)
    return torch.as_tensor(clip.eval().encode_text(tokens, normalize=True))


def _look(
    network: LandNetwork,
    scenes: LabelledScenes,
    library: Library,
    options: PlaceTrainingOptions,
    watch: Watch,
) -> _Views:
    """What the tower sees, in the precision in which it is fastest here."""
    fast = LandNetwork(network.options)
    fast.load_state_dict(network.state_dict())
    fast.eval().requires_grad_(False)
    if choose_dtype("auto", torch.device("cpu")) == torch.bfloat16:
        fast.lower()
    side = scenes.pictures.shape[-1]
    draw = torch.Generator().manual_seed(options.seed)
    seen = [_pooled(fast, scenes.pictures)]
    for number in range(options.views):
        small = side // 2 if number % 3 == 2 else side
        parts = [random_view(part, small, draw) for part in scenes.pictures.split(BATCH)]
        seen.append(torch.cat([_pooled(fast, part) for part in parts]))
        watch("look", number + 1, options.views, "")
    ground = _pooled(fast, _other_ground(library, side, options))
    return _Views(torch.cat(seen), scenes.labels.repeat(len(seen)), ground)


@torch.no_grad()
def _pooled(network: LandNetwork, pictures: torch.Tensor) -> torch.Tensor:
    return torch.cat([network.pooled(part) for part in pictures.split(BATCH)])


def _other_ground(library: Library, side: int, options: PlaceTrainingOptions) -> torch.Tensor:
    """(ground, 3, side, side) squares of pictures that are no scenes, each place as often as others.

    Raises InputError where there is none that is large enough.
    """
    draw = np.random.default_rng(options.seed)
    places = [p for p in library.places if not p.names[0].startswith("scenes")]
    places = [p for p in places if min(p.visits[0].shape[:2]) >= side]
    if not places:
        raise InputError("a place head needs pictures in revisits/ or labelled/, too")
    squares = []
    for number in range(options.ground):
        visits = places[number % len(places)].visits
        picture = visits[draw.integers(len(visits))]
        row, col = (int(draw.integers(length - side + 1)) for length in picture.shape[:2])
        squares.append(picture[row : row + side, col : col + side])
    return torch.from_numpy(np.stack(squares)).permute(0, 3, 1, 2).contiguous()


def _fit(
    head: PlaceHead,
    views: _Views,
    names: torch.Tensor,
    targets: torch.Tensor,
    options: PlaceTrainingOptions,
    watch: Watch,
) -> None:
    """Cross-entropy to the targets of scenes, and to all names alike for other ground."""
    mean, spread = views.seen.mean(dim=0), views.seen.std(dim=0) + LEAST_SPREAD
    seen, ground = ((x - mean) / spread for x in (views.seen, views.ground))
    draw = torch.Generator().manual_seed(options.seed)
    optimiser = torch.optim.AdamW(_groups(head, options), lr=options.rate)
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.rate * (1 - step / options.steps)
        scene, other = (
            torch.randint(len(x), (count,), generator=draw)
            for x, count in zip((seen, ground), options.batch, strict=True)
        )
        x = F.dropout(torch.cat([seen[scene], ground[other]]), options.dropout)
        said = F.log_softmax(head(x, names), dim=1)
        own, rest = said.split(list(options.batch))
        loss = -(targets[views.labels[scene]] * own).sum(dim=1).mean()
        loss = loss - options.ground_weight * rest.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        watch("places", step + 1, options.steps, f"loss {loss.item():.3f}")
    _fold(head.project[0], mean, spread)


def _groups(head: PlaceHead, options: PlaceTrainingOptions) -> list[dict[str, Any]]:
    """Weights of the projection decay; the map of texts, which starts as none, does not."""
    decaying = [x for x in head.project.parameters() if x.dim() > 1]
    others = [x for x in head.parameters() if not any(x is each for each in decaying)]
    return [
        {"params": decaying, "weight_decay": options.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


@torch.no_grad()
def _fold(layer: torch.nn.Module, mean: torch.Tensor, spread: torch.Tensor) -> None:
    """Let a linear layer take what it took standardised as it is."""
    assert isinstance(layer, torch.nn.Linear)
    layer.weight.div_(spread)
    layer.bias.sub_(layer.weight @ mean)


def _accuracy(logits: torch.Tensor, scenes: LabelledScenes, captions: Names) -> dict[str, float]:
    """By the plainest name of each class."""
    plain = [captions.index(names_of(name)[0]) for name in scenes.classes]
    shares = {"places first": 1, "places among three": 3}
    return {name: top_accuracy(logits, scenes.labels, plain, most) for name, most in shares.items()}


def _least_score(logits: torch.Tensor, scenes: LabelledScenes, captions: Names) -> float:
    """From the names of the published vocabulary only, as in a run."""
    vocabulary = published_vocabulary()
    places = [captions.index(name) for name in vocabulary]
    return least_sure_score(logits[:, places], scenes, vocabulary, LEAST_NAME_PRECISION)
