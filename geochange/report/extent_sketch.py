"""The extents of both dates as a small SVG drawing, north up."""

from __future__ import annotations

import math
from dataclasses import dataclass

from geochange.report.facts import GroundPlace, Ring

WIDTH, HEIGHT, MARGIN = 260.0, 170.0, 14.0


@dataclass(frozen=True)
class Sketch:
    """Paths of an SVG of WIDTH x HEIGHT; values of the attribute `d`."""

    before: str
    after: str
    common: str
    width: float = WIDTH
    height: float = HEIGHT


def _middle(ring: Ring) -> float:
    return (min(x for x, _ in ring) + max(x for x, _ in ring)) / 2


def sketch_of(place: GroundPlace) -> Sketch | None:
    """The outlines of both rasters and of their common ground; None where they have no lon/lat."""
    rings = (place.outline_before, place.outline_after, place.outline)
    if not all(rings):
        return None
    # Of two rings at 180 degrees one may go on beyond it, the other begin at -180.
    middle = _middle(place.outline)
    turns = [360 * round((middle - _middle(ring)) / 360) for ring in rings]
    moved = [tuple((x + turn, y) for x, y in ring) for ring, turn in zip(rings, turns, strict=True)]
    points = [point for ring in moved for point in ring]
    west, north = min(x for x, _ in points), max(y for _, y in points)
    width, height = max(x for x, _ in points) - west, north - min(y for _, y in points)
    squeeze = max(math.cos(math.radians(north - height / 2)), 0.01)
    scale = min(
        (WIDTH - 2 * MARGIN) / max(width * squeeze, 1e-12),
        (HEIGHT - 2 * MARGIN) / max(height, 1e-12),
    )
    left = (WIDTH - width * squeeze * scale) / 2
    top = (HEIGHT - height * scale) / 2

    def path(ring: Ring) -> str:
        places = (
            f"{left + (x - west) * squeeze * scale:.1f} {top + (north - y) * scale:.1f}"
            for x, y in ring
        )
        return f"M{' L'.join(places)}Z"

    before, after, common = map(path, moved)
    return Sketch(before, after, common)
