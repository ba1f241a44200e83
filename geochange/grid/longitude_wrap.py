"""Full turns round the Earth: the same ground is met again after each of them, further along x."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, floor
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.grid.polygon_parts import polygonal_part

Geometries = NDArray[np.object_]
G = TypeVar("G", shapely.Geometry, Geometries)

Span = tuple[float, float]
"""The first and the last x of something."""

TURN_TOLERANCE = 1e-9
"""As a share of a turn: what lies so near to a place lies at it."""


def turns_over(span: Span, other: Span, turn: float | None, tolerance: float = 0.0) -> range:
    """By how many turns `other` can be moved on to have a part in `span`, longer than a hair.

    turn: see `full_turn`; without one, nothing is moved.
    """
    if turn is None:
        return range(1)
    first = ceil((span[0] + tolerance - other[1]) / turn)
    return range(first, floor((span[1] - tolerance - other[0]) / turn) + 1)


def only_turn(span: Span, other: Span, turn: float | None, least: float) -> int | None:
    """By how many turns `other` is moved on to lie in `span`.

    least: what is no longer does not count. None where it has parts there after several turns.
    """
    turns = turns_over(span, other, turn)
    if turn is None or len(turns) == 0:
        return 0
    shared = {
        k: min(span[1], other[1] + k * turn) - max(span[0], other[0] + k * turn) for k in turns
    }
    best = max(turns, key=lambda k: shared[k])
    is_all = shared[best] > span[1] - span[0] - least
    elsewhere = sum(length for k, length in shared.items() if k != best)
    return best if is_all or elsewhere < least else None


def copies_in_span(
    area: shapely.Geometry, turn: float | None, span: Span
) -> Iterator[shapely.Geometry]:
    """An area moved by whole turns: every such copy that has a part in a span of x."""
    west, _, east, _ = shapely.bounds(area)
    if np.isfinite([west, east]).all():
        for turns in turns_over(span, (west, east), turn, TURN_TOLERANCE * (turn or 0)):
            yield translated_x(area, turns * (turn or 0))


def moved_into_span(areas: Geometries, turn: float | None, span: Span) -> Geometries:
    """Areas moved by whole turns to where they lie in a span of x; the others stay where they are.

    One that has parts there after several turns is all of these together.
    """
    if turn is None:
        return areas
    moved = areas.copy()
    west, _, east, _ = shapely.bounds(areas).reshape(-1, 4).T
    with np.errstate(invalid="ignore"):
        inside = (west >= span[1] - turn) & (east <= span[0] + turn)
    for number in np.flatnonzero(~inside):
        parts = [
            copy
            for part in shapely.get_parts(areas[number])
            for copy in copies_in_span(part, turn, span)
        ]
        if len(parts) > 1:
            parts = [polygonal_part(shapely.union_all(parts))]
        moved[number] = parts[0] if parts else areas[number]
    return moved


def translated_x(area: G, x: float) -> G:
    """One or more areas so far east."""
    if x == 0:
        return area
    moved: G = shapely.transform(area, lambda points: points + np.array([x, 0.0]))
    return moved
