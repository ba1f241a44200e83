"""Land cover: the names and numbers of the classes, in the order that all rooms use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

CLASSES = ("building", "road", "vegetation", "water", "other land")

BUILDING = CLASSES.index("building")

NO_LAND_CLASS = 255
"""In place of a class's number: a pixel without data."""

LIKELY_CHANGE = 0.2
"""The probability of change that a pixel must reach for a land network to look at its tile."""

IOU_OF_CLASS = "iou_of_"
"""Before the name of a class, in the names of figures of a training."""

Rgb = tuple[int, int, int]

_COLOUR = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class ClassTable:
    """Classes in the order of their numbers.

    colours: of each class, as "#rrggbb"; none where the classes have no colours of their own.
    """

    names: tuple[str, ...]
    colours: tuple[str, ...] = ()

    @property
    def by_name(self) -> Mapping[str, str]:
        """The colour of each class; empty without colours."""
        return dict(zip(self.names, self.colours, strict=False))


def is_colour(text: object) -> bool:
    """Whether a text is a colour as it is stored: "#rrggbb" in lower case."""
    return isinstance(text, str) and _COLOUR.fullmatch(text) is not None


def rgb_of(colour: str) -> Rgb:
    """Red, green and blue in 0-255 of "#rrggbb"."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return red, green, blue
