"""Place scenes: the pictures from which a land network learns to name places.

See `geochange.models.learning.place_head_training`, which learns it.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geochange.config.pretraining import SceneOptions
from geochange.errors import InputError
from geochange.models.learning.place_head_training import (
    PlaceLessons,
    PlaceTrainingOptions,
    place_logits,
    train_place_head,
)
from geochange.models.weights.checkpoint import Checkpoint
from geochange.progress import Watch, no_watch
from geochange.trainer.naming_accuracy import NamingAccuracy, naming_accuracy, scene_captions
from geochange.training.data.random_views import plain_and_random_views
from geochange.training.data.scenes import caption_targets, read_scenes
from geochange.training.planting import read_library

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
        read_scenes(root / SceneOptions().folder, options.side, kept_out=kept)
        for kept in (False, True)
    )
    captions = scene_captions(taught.classes)
    views = plain_and_random_views(taught.pictures, options.views, options.seed)
    targets = caption_targets(taught.classes, captions, options.smoothing)
    lessons = PlaceLessons(views, taught.labels, ground, captions, targets)
    learnt = train_place_head(checkpoint, lessons, options, watch)
    logits = place_logits(learnt, judged.pictures, captions)
    return _with_accuracy(learnt, naming_accuracy(logits, captions, judged))


def _with_accuracy(checkpoint: Checkpoint, found: NamingAccuracy) -> Checkpoint:
    card = checkpoint.card
    assert card.land is not None
    assert card.land.place is not None
    land = replace(card.land, place=replace(card.land.place, least_score=found.least_score))
    metrics = {"places first": found.first, "places among three": found.among_three}
    return replace(checkpoint, card=replace(card, land=land, metrics={**card.metrics, **metrics}))


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
