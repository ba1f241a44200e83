"""Farm: a yard with large halls, one of them new, and its gravel track."""

from __future__ import annotations

import numpy as np

from geochange.landscape.plan.countryside import GRAVEL, TRACK_HALF_PX
from geochange.landscape.plan.draft import Draft, LandSquare
from geochange.landscape.plan.house import car, dwelling
from geochange.landscape.plan.plan_objects import Building, Road, Slab, Stands
from geochange.landscape.shapes import Box, Points

CONCRETE = (178, 174, 166)
SILAGE = (104, 102, 94)
HALLS = (
    # along and across from the yard's centre, half sides, roof, when it stands; all in px
    (-14.0, -62.0, (50.0, 20.0), (196, 198, 200), Stands.ALWAYS),
    (-66.0, 18.0, (17.0, 44.0), (164, 120, 96), Stands.ALWAYS),
    (12.0, 60.0, (46.0, 20.0), (226, 228, 228), Stands.NEW),
)


def add_farm(draft: Draft, parish: LandSquare, main_path: Points) -> None:
    """A farm in the lower right of the parish, tied to the main road by a track."""
    row, col = parish.place(0.83, 0.82)
    yard = Box(row, col, float(parish.rng.uniform(-0.18, 0.18)), 46.0, 36.0)
    draft.claims.append(yard.outline(grow_px=12))
    draft.slabs.append(Slab(yard, CONCRETE))
    for along_px, across_px, half_sides_px, roof, stands in HALLS:
        box = yard.inner(along_px, across_px, half_sides_px)
        draft.claims.append(box.outline(grow_px=6))
        draft.buildings.append(hall(box, roof, stands))
    for along_px in (22.0, 34.0):
        draft.slabs.append(car(yard, (along_px, -20.0), yard.angle_rad + 1.5, parish.rng))
    for across_px in (-34.0, -50.0):
        clamp = yard.inner(64.0, across_px, (20.0, 6.5))
        draft.slabs.append(Slab(clamp, SILAGE, height_px=3.0))
    home = yard.inner(78.0, 32.0, (12.0, 9.5))
    draft.buildings.append(dwelling(home, parish.rng, Stands.ALWAYS))
    draft.add_road(track(parish, yard, main_path))


def hall(box: Box, roof: tuple[int, int, int], stands: Stands) -> Building:
    """A hall with a shallow ribbed roof, its ridge along the longer side."""
    if box.half_across_px > box.half_along_px:
        box = Box(
            box.row, box.col, box.angle_rad + np.pi / 2, box.half_across_px, box.half_along_px
        )
    return Building(box, 11.0, 0.26, False, roof, ribs_px=5.0, stands=stands)


def track(parish: LandSquare, yard: Box, main_path: Points) -> Road:
    """A rutted track from the yard that bends up to the main road."""
    start = yard.at(yard.half_along_px, 4.0)
    col = parish.col + 0.96 * parish.span_px
    end = float(np.interp(col, main_path[:, 1], main_path[:, 0])), col
    share = np.linspace(0, 1, 40)
    rows = start[0] + (end[0] - start[0]) * share**2
    cols = start[1] + (end[1] - start[1]) * np.sin(share * np.pi / 2)
    return Road(np.stack([rows, cols], axis=1), TRACK_HALF_PX, GRAVEL, rutted=True)
