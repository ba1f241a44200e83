"""Land cover: the names and numbers of the classes, in the order that all rooms use."""

from __future__ import annotations

CLASSES = ("building", "road", "vegetation", "water", "other land")

BUILDING = CLASSES.index("building")

UNSEEN = 255
"""The class number of a pixel without data."""
