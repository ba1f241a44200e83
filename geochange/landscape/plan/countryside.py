"""Countryside: the main road, the river, the woods and the pond of the plan."""

from __future__ import annotations

import numpy as np

from geochange.landscape.plan.draft import Draft, LandSquare
from geochange.landscape.plan.plan_objects import Pond, Road, Wood
from geochange.landscape.shapes import Points, blob

ASPHALT = (124, 123, 124)
GRAVEL = (184, 174, 152)
TRACK_HALF_PX = 2.8
MAIN_HALF_PX = 6.5
RIVER_HALF_PX = 9.0
MEANDER_PX = 320


def main_road(start_px: float, size_px: int, span_px: float, rng: np.random.Generator) -> Road:
    """A road from the left edge to the right through the middle of a row of parishes."""
    cols = np.arange(-20.0, size_px + 21, 4)
    turn = 2 * np.pi * cols / span_px + rng.uniform(-0.5, 0.5)
    rows = start_px + span_px * (0.5 + 0.035 * np.sin(turn) + 0.01 * np.sin(2 * turn + 1))
    path = np.stack([rows, cols], axis=1)
    return Road(path, MAIN_HALF_PX, ASPHALT, marked=True)


def river(start_px: float, size_px: int, span_px: float, rng: np.random.Generator) -> Points:
    """A river's path from the top edge to the bottom along a column of parishes."""
    rows = np.arange(-20.0, size_px + 21, 3)
    turn = 2 * np.pi * rows / span_px
    bends = 2 * np.pi * rows / MEANDER_PX
    sway = 0.035 * np.sin(turn + rng.uniform(0, 6)) + 0.015 * np.sin(2 * turn + rng.uniform(0, 6))
    meander = 13 * np.sin(bends + 1.3 * np.sin(turn)) + 5 * np.sin(2.3 * bends + 2)
    return np.stack([rows, start_px + span_px * (0.2 + sway) + meander], axis=1)


def add_ride(draft: Draft, parish: LandSquare, main_path: Points) -> None:
    """A gravel track from the main road up through the large wood and out of the parish."""
    col = parish.col + 0.90 * parish.span_px
    road_row = np.interp(col, main_path[:, 1], main_path[:, 0])
    share = np.linspace(0, 1, 60)
    rows = road_row - share * (road_row - parish.row + 20)
    cols = col + parish.span_px * (0.035 * np.sin(5 * share) - 0.07 * share**3)
    path = np.stack([rows, cols], axis=1)
    draft.add_road(Road(path, TRACK_HALF_PX, GRAVEL, rutted=True))


def add_pond(draft: Draft, parish: LandSquare) -> None:
    """A pond that is drained between the dates, as large as the river leaves room for."""
    centre = parish.place(0.86, 0.41)
    largest_px = min(0.07 * parish.span_px, 92.0)
    for share in (1.0, 0.85, 0.7, 0.55, 0.4):
        radius_px = share * largest_px
        outline = blob(centre, (radius_px, radius_px * 1.35), 0.30, parish.rng)
        if draft.claim(outline.buffer(8)):
            draft.ponds.append(Pond(outline, drained=True))
            return


def add_woods(draft: Draft, parish: LandSquare) -> None:
    """One large wood, partly felled between the dates, and two small ones."""
    span_px, rng = parish.span_px, parish.rng
    heart = parish.place(0.19, 0.76)
    large = blob(heart, (0.21 * span_px, 0.25 * span_px), 0.32, rng)
    clearing = blob(
        parish.place(0.19, 0.73), (0.095 * span_px, 0.125 * span_px), 0.30, rng
    ).intersection(large.buffer(-12))
    draft.woods.append(Wood(large, clearing))
    for row, col, share in ((0.9, 0.05, 0.12), (0.08, 0.06, 0.09)):
        radii_px = (share * span_px, 1.2 * share * span_px)
        draft.woods.append(Wood(blob(parish.place(row, col), radii_px, 0.5, rng), None))
