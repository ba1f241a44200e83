"""Naming accuracy: how well a CLIP or a place head names kept-out scenes, and when a name is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from geochange.models.prompts import Names, published_vocabulary
from geochange.training.data.scenes import (
    LabelledScenes,
    least_sure_score,
    names_of,
    top_accuracy,
)

LEAST_NAME_PRECISION = 0.99
"""The share of correct names on held-out images that sets the least score. On ground outside its
classes the share is lower."""


@dataclass(frozen=True)
class NamingAccuracy:
    """The shares of held-out images whose class is first, and among the first three.

    least_score: the score from which a share of LEAST_NAME_PRECISION of the names is correct.
    """

    first: float
    among_three: float
    least_score: float


def scene_captions(classes: Sequence[str]) -> Names:
    """The published vocabulary, followed by the other names of the classes.

    Names without a class are trained to fit no image.
    """
    own = [name for scene in classes for name in names_of(scene)]
    return tuple(dict.fromkeys([*published_vocabulary(), *own]))


def naming_accuracy(logits: Any, captions: Sequence[str], judged: LabelledScenes) -> NamingAccuracy:
    """How well scenes are named, by the plainest name of each class.

    logits: a tensor (scene, caption). The least score is of names of the vocabulary alone, as in a run.
    """
    plain = [captions.index(names_of(name)[0]) for name in judged.classes]
    first, three = (top_accuracy(logits, judged.labels, plain, most) for most in (1, 3))
    vocabulary = published_vocabulary()
    among = logits[:, [captions.index(name) for name in vocabulary]]
    least = least_sure_score(among, judged, vocabulary, LEAST_NAME_PRECISION)
    return NamingAccuracy(first, three, least)
