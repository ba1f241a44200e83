"""Land cover: the names and numbers of the classes, in the order that all rooms use."""

from __future__ import annotations

CLASSES = ("building", "road", "vegetation", "water", "other land")

BUILDING = CLASSES.index("building")

NO_LAND_CLASS = 255
"""In place of a class's number: a pixel without data."""

LIKELY_CHANGE = 0.2
"""The probability of change that a pixel must reach for a land network to look at its tile."""
