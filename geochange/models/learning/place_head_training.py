"""Training of the place head: a land network learns to tell places in the text space of a CLIP.

Tower and CLIP are locked, so the tower sees every view of a scene once, and the head learns from what it
saw. Ground that is none of the classes is taught to fit all names alike (outlier exposure, Hendrycks et
al., ICLR 2019): else some name always fits best.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from geochange.errors import InputError
from geochange.models.changeclip.land_cover_network import LandNetwork, without_place
from geochange.models.clip_scorer import build_scorer
from geochange.models.inference.precision import choose_dtype
from geochange.models.place_head import PlaceHead, PlaceOptions
from geochange.models.prompts import Names
from geochange.models.weights.checkpoint import Checkpoint
from geochange.progress import Watch

BATCH = 16
LEAST_SPREAD = 1e-4
"""Channels that vary less than this are taken to vary so much."""


@dataclass(frozen=True)
class PlaceTrainingOptions:
    """How a place head learns.

    side: of its pictures, in pixels. views: random views of each scene, besides the scene itself.
    ground: squares of ground that is none of the classes. ground_weight: of their loss. batch: views and
    squares of a step. dropout: of what the tower saw. smoothing: of the targets.
    """

    side: int = 256
    views: int = 8
    ground: int = 1200
    ground_weight: float = 0.03
    steps: int = 2000
    batch: tuple[int, int] = (256, 64)
    rate: float = 3e-3
    weight_decay: float = 0.3
    dropout: float = 0.1
    smoothing: float = 0.05
    seed: int = 0


@dataclass(frozen=True)
class PlaceLessons:
    """What a place head learns from.

    views: all scenes, one view of each at a time, in small batches (n, 3, side, side). labels: (scene,)
    classes. ground: (square, side, side, 3). captions: the names. targets: (class, caption) shares.
    """

    views: Iterable[Iterable[torch.Tensor]]
    labels: torch.Tensor
    ground: NDArray[np.uint8]
    captions: Names
    targets: torch.Tensor


def train_place_head(
    checkpoint: Checkpoint, lessons: PlaceLessons, options: PlaceTrainingOptions, watch: Watch
) -> Checkpoint:
    """The checkpoint with a place head in its land network; all else is as it was.

    Raises InputError for a checkpoint without a land network or without its own CLIP.
    """
    torch.manual_seed(options.seed)
    names = embed_names(checkpoint, lessons.captions)
    network = _with_fresh_head(checkpoint, names.shape[1], options.side)
    fast = _fast(network)
    ground = torch.from_numpy(lessons.ground).permute(0, 3, 1, 2)
    beside = _pooled(fast, ground.split(BATCH))
    seen = []
    for number, view in enumerate(lessons.views):
        seen.append(_pooled(fast, view))
        watch("look", number, options.views, "")
    samples = torch.cat(seen), lessons.labels.repeat(len(seen)), beside
    assert network.place is not None
    head = network.place.requires_grad_(True).train()
    _fit(head, samples, names, lessons.targets, options, watch)
    card = replace(checkpoint.card, land=network.options)
    land = {name: x.detach() for name, x in network.state_dict().items()}
    return replace(checkpoint, card=card, land=land)


@torch.no_grad()
def place_logits(checkpoint: Checkpoint, pictures: torch.Tensor, names: Names) -> torch.Tensor:
    """(picture, name) logits of a place head for (picture, 3, side, side)."""
    network = checkpoint.build_land()
    assert network is not None
    assert network.place is not None
    logits: torch.Tensor = network.place(
        _pooled(network, pictures.split(BATCH)), embed_names(checkpoint, names)
    )
    return logits


@torch.no_grad()
def embed_names(checkpoint: Checkpoint, names: Names) -> torch.Tensor:
    """(name, embed) of length 1, by the checkpoint's own CLIP. Raises InputError without one."""
    own = checkpoint.own_clip()
    if checkpoint.card.land is None or own is None:
        raise InputError(
            "a place head reads a land network and needs a CLIP in the same file; give a network of "
            "configs/default.yaml"
        )
    return build_scorer(own.tensors, own.quickgelu, names).classes


def _with_fresh_head(checkpoint: Checkpoint, embed: int, side: int) -> LandNetwork:
    """The land network of a checkpoint with a place head that has learnt nothing."""
    land = checkpoint.card.land
    assert land is not None
    sizes = replace(land, place=PlaceOptions(side), visual=replace(land.visual, embed=embed))
    network = LandNetwork(sizes)
    network.load_state_dict(without_place(checkpoint.land), strict=False)
    return network.eval().requires_grad_(False)


def _fast(network: LandNetwork) -> LandNetwork:
    """A copy in the precision in which it is fastest here."""
    fast = LandNetwork(network.options)
    fast.load_state_dict(network.state_dict())
    fast.eval().requires_grad_(False)
    lower = choose_dtype("auto", torch.device("cpu")) == torch.bfloat16
    return fast.lower() if lower else fast


@torch.no_grad()
def _pooled(network: LandNetwork, parts: Iterable[torch.Tensor]) -> torch.Tensor:
    return torch.cat([network.pooled(part) for part in parts])


def _fit(
    head: PlaceHead,
    samples: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    names: torch.Tensor,
    targets: torch.Tensor,
    options: PlaceTrainingOptions,
    watch: Watch,
) -> None:
    """Cross-entropy to the targets of scenes, and to all names alike for other ground.

    samples: what the tower saw of scenes, their classes, and what it saw of other ground.
    """
    seen, labels, ground = samples
    mean, spread = seen.mean(dim=0), seen.std(dim=0) + LEAST_SPREAD
    seen, ground = ((x - mean) / spread for x in (seen, ground))
    optimiser = torch.optim.AdamW(_groups(head, options), lr=options.rate)
    for step in range(options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.rate * (1 - step / options.steps)
        scene, other = (
            torch.randint(len(x), (count,))
            for x, count in zip((seen, ground), options.batch, strict=True)
        )
        x = F.dropout(torch.cat([seen[scene], ground[other]]), options.dropout)
        own, rest = F.log_softmax(head(x, names), dim=1).split(list(options.batch))
        loss = -(targets[labels[scene]] * own).sum(dim=1).mean()
        loss = loss - options.ground_weight * rest.mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        watch("places", step + 1, options.steps, f"loss {loss.item():.3f}")
    _fold(head.project[0], mean, spread)
    head.eval().requires_grad_(False)


def _groups(head: PlaceHead, options: PlaceTrainingOptions) -> list[dict[str, Any]]:
    """Weights of the projection decay; the map of texts, which starts as none, does not."""
    decaying = [x for x in head.project.parameters() if x.dim() > 1]
    others = [x for x in head.parameters() if not any(x is each for each in decaying)]
    return [
        {"params": decaying, "weight_decay": options.weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]


@torch.no_grad()
def _fold(layer: nn.Module, mean: torch.Tensor, spread: torch.Tensor) -> None:
    """Let a linear layer take what it took standardised as it is."""
    assert isinstance(layer, nn.Linear)
    layer.weight.div_(spread)
    layer.bias.sub_(layer.weight @ mean)
