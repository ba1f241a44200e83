"""Layout: which river, roads, woods, pond, village and farm the land has, and where.

The land is a grid of parishes of about 768 m, each with one of everything, so a larger picture
holds more parishes and a small one a denser parish; nothing is stretched.
"""

from __future__ import annotations

import numpy as np

from geochange.landscape.plan.countryside import (
    RIVER_HALF_PX,
    add_pond,
    add_woods,
    main_road,
    river,
)
from geochange.landscape.plan.draft import Draft, LandSquare
from geochange.landscape.plan.plan_objects import Plan
from geochange.landscape.plan.village import add_village
from geochange.landscape.shapes import Points, ribbon

PARISH_PX = 1536


def plan_landscape(size_px: int, seed: int) -> Plan:
    """The plan of a square picture, the same for the same seed."""
    rng = np.random.default_rng([seed, size_px])
    count = max(1, round(size_px / PARISH_PX))
    span_px = size_px / count
    starts = [number * span_px for number in range(count)]
    draft = Draft()
    main_roads = [main_road(start, size_px, span_px, rng) for start in starts]
    rivers = tuple(river(start, size_px, span_px, rng) for start in starts)
    for road in main_roads:
        draft.add_road(road)
    draft.claims.extend(ribbon(path, RIVER_HALF_PX + 4) for path in rivers)
    for row, road in zip(starts, main_roads, strict=True):
        for col in starts:
            fill_parish(draft, LandSquare(row, col, span_px, rng), road.path)
    return complete_plan(draft, rivers, size_px, seed)


def fill_parish(draft: Draft, parish: LandSquare, main_path: Points) -> None:
    """Fill one parish: first what cannot move, then what settles round it."""
    add_pond(draft, parish)
    add_village(draft, parish, main_path)
    add_woods(draft, parish)


def complete_plan(draft: Draft, rivers: tuple[Points, ...], size_px: int, seed: int) -> Plan:
    """Freeze a draft."""
    return Plan(
        size_px=size_px,
        seed=seed,
        roads=tuple(draft.roads),
        rivers=rivers,
        ponds=tuple(draft.ponds),
        woods=tuple(draft.woods),
        plots=tuple(draft.plots),
        slabs=tuple(draft.slabs),
        buildings=tuple(draft.buildings),
    )
