"""Place scenes: the pictures from which a land network learns to name places.

See `geochange.models.learning.place_head_training`, which learns it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geochange.errors import InputError
from geochange.models.learning.place_head_training import (
    PlaceLessons,
    PlaceTrainingOptions,
    place_logits,
    train_place_head,
)
from geochange.models.prompts import Names, published_vocabulary
from geochange.models.weights.checkpoint import Checkpoint
from geochange.progress import Watch, no_watch
from geochange.training.data.random_views import plain_and_random_views
from geochange.training.data.scenes import (
    caption_targets,
    least_sure_score,
    names_of,
    read_scenes,
    top_accuracy,
)
from geochange.training.planting import read_library

SCENES = "scenes/ucm"
LEAST_NAME_PRECISION = 0.99
"""See `clip_pretraining`."""

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
    ground = _other_ground(root, options)
    taught, judged = (
        read_scenes(root / SCENES, options.side, kept_out=kept) for kept in (False, True)
    )
    captions = _captions(taught.classes)
    views = plain_and_random_views(taught.pictures, options.views, options.seed)
    targets = caption_targets(taught.classes, captions, options.smoothing)
    lessons = PlaceLessons(views, taught.labels, ground, captions, targets)
    learnt = train_place_head(checkpoint, lessons, options, watch)
    logits = place_logits(learnt, judged.pictures, captions)
    plain = [captions.index(names_of(name)[0]) for name in judged.classes]
    shares = {"places first": 1, "places among three": 3}
    metrics = {n: top_accuracy(logits, judged.labels, plain, most) for n, most in shares.items()}
    # In a run, names are chosen from the published vocabulary alone.
    vocabulary = published_vocabulary()
    among = logits[:, [captions.index(name) for name in vocabulary]]
    least = least_sure_score(among, judged, vocabulary, LEAST_NAME_PRECISION)
    return _with_least_score(learnt, least, metrics)


def _with_least_score(
    checkpoint: Checkpoint, least: float, metrics: dict[str, float]
) -> Checkpoint:
    card = checkpoint.card
    assert card.land is not None
    assert card.land.place is not None
    land = replace(card.land, place=replace(card.land.place, least_score=least))
    return replace(checkpoint, card=replace(card, land=land, metrics={**card.metrics, **metrics}))


def _captions(classes: Sequence[str]) -> Names:
    """The published vocabulary, followed by the other names of the classes."""
    own = [name for scene in classes for name in names_of(scene)]
    return tuple(dict.fromkeys([*published_vocabulary(), *own]))


def _other_ground(root: Path, options: PlaceTrainingOptions) -> NDArray[np.uint8]:
    """(ground, side, side, 3) squares of pictures that are no scenes, each place as often as others.

    Smaller pictures are mirrored at their rims. Raises InputError where there is none.
    """
    draw, side = np.random.default_rng(options.seed), options.side
    places = [p for p in read_library(root).places if not p.names[0].startswith("scenes")]
    if not places:
        raise InputError("a place head needs pictures in revisits/ or labelled/, too")
    squares = []
    for number in range(options.ground):
        visits = places[number % len(places)].visits
        picture = _at_least(side, visits[draw.integers(len(visits))])
        row, col = (int(draw.integers(length - side + 1)) for length in picture.shape[:2])
        squares.append(picture[row : row + side, col : col + side])
    return np.stack(squares)


def _at_least(side: int, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    lacking = [max(0, side - length) for length in picture.shape[:2]]
    sides = [(each // 2, each - each // 2) for each in lacking]
    return np.pad(picture, [*sides, (0, 0)], mode="reflect")
