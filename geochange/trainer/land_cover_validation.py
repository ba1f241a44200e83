"""Validation of land cover: intersection over union of each class, on held-out images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.land_cover import BUILDING, CLASSES
from geochange.models.changeclip.land_cover_network import LandNetwork
from geochange.models.changeclip.network import ChangeClip
from geochange.models.learning.trainable_land import land_classes
from geochange.training.data.land_cover_pictures import (
    ANY_CLASS,
    AllowedClasses,
    LandPictures,
    Picture,
)

WINDOW_PX = 1024
"""The side of the parts in which larger images are predicted."""


@dataclass(frozen=True)
class LandScores:
    """IoU by set and class, without classes that a set does not label.

    of_buildings: the sets that label only buildings.
    """

    iou: Mapping[tuple[str, str], float]
    of_buildings: frozenset[str]

    @property
    def building(self) -> float:
        """Mean IoU of buildings over the sets that label only them; 0 without such a set."""
        found = [self.iou[name, CLASSES[BUILDING]] for name in sorted(self.of_buildings)]
        return float(np.mean(found)) if found else 0.0

    def to_metrics(self) -> dict[str, float]:
        """The figures by their names in a card."""
        by_set = {f"{name.replace(' ', '_')}_iou_{s}": x for (s, name), x in self.iou.items()}
        return {"building_iou": self.building, **by_set}


def validate_land(network: ChangeClip | LandNetwork, pictures: LandPictures) -> LandScores:
    """Show every picture to a network, which stays in the mode that it was in."""
    learning = network.training
    network.eval()
    iou: dict[tuple[str, str], float] = {}
    for each in pictures.sets:
        counts = sum(
            (_counts(network, p, a) for p, a in zip(each.pictures, each.allowed, strict=True)),
            np.zeros((len(CLASSES), 3), np.int64),
        )
        for name, (both, wrong, missed) in zip(CLASSES, counts.tolist(), strict=True):
            # A set can only score a class if its labels also say which pixels are not of that class.
            if both + missed and _can_validate(each.allowed, CLASSES.index(name)):
                iou[each.name, name] = both / (both + wrong + missed)
    network.train(learning)
    alone = {each.name for each in pictures.sets if _labels_buildings_alone(each.allowed)}
    return LandScores(iou, frozenset(name for name in alone if (name, CLASSES[BUILDING]) in iou))


def _labels_buildings_alone(allowed: Sequence[AllowedClasses]) -> bool:
    """Whether some pixels are only known not to be buildings."""
    return any((each == ANY_CLASS & ~(1 << BUILDING)).any() for each in allowed)


def _can_validate(allowed: Sequence[AllowedClasses], number: int) -> bool:
    """Whether some pixels are known to be of a class, and others not to be."""
    own = 1 << number
    there = any((each == own).any() for each in allowed)
    return there and any(((each > 0) & (each & own == 0)).any() for each in allowed)


def _counts(
    network: ChangeClip | LandNetwork, picture: Picture, allowed: AllowedClasses
) -> NDArray[np.int64]:
    """(class, 3): pixels rightly found, wrongly found, and missed."""
    counts = np.zeros((len(CLASSES), 3), np.int64)
    for part in _parts(allowed.shape):
        found, told = land_classes(network, picture[part]), allowed[part]
        for number in range(len(CLASSES)):
            own = 1 << number
            here, truth = found == number, told == own
            not_it = (told > 0) & (told & own == 0)
            counts[number] += [(here & truth).sum(), (here & not_it).sum(), (~here & truth).sum()]
    return counts


def _parts(shape: tuple[int, ...]) -> Iterator[tuple[slice, slice]]:
    for row in range(0, shape[0], WINDOW_PX):
        for col in range(0, shape[1], WINDOW_PX):
            yield slice(row, row + WINDOW_PX), slice(col, col + WINDOW_PX)
