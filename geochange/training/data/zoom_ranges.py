"""Zoom ranges: how much nearer or farther the pictures of a labelled set are seen, by its name.

Most networks look at ground of 0.3 to 1.5 metres a pixel; sets were taken at 0.13 to 1.
"""

from __future__ import annotations

from collections.abc import Mapping

ZOOMS: Mapping[str, tuple[float, float]] = {
    "accra": (0.3, 1.1),
    "austin": (0.5, 1.4),
    "banepa": (0.2, 1.1),
    "dubai": (0.6, 1.6),
    "massachusetts_buildings": (0.7, 2.0),
    "massachusetts_roads": (0.7, 2.0),
    "ucm": (0.4, 1.2),
}

USUAL_ZOOM = (0.6, 1.6)
"""Of any other set."""


def zooms_of(name: str) -> tuple[float, float]:
    """The least and the most that the pictures of a set are enlarged."""
    return ZOOMS.get(name, USUAL_ZOOM)
