"""Trees: every one of the plan, with its size, its kind and its colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import Polygon

from geochange.landscape.plan.countryside import RIVER_HALF_PX
from geochange.landscape.plan.groves import (
    forest,
    garden,
    hedgerow,
    lone_trees,
    trees_along,
    trees_around,
)
from geochange.landscape.plan.plan_objects import Plan
from geochange.landscape.shapes import Points, ribbon


@dataclass(frozen=True, slots=True)
class Trees:
    """(N,) each: place in px, crown radius, height of its top, and its nature.

    needle: whether a conifer; turn: how far its leaves turn by autumn, 0 .. 1;
    tint: (N, 3) its own colour's offset; felled: whether gone at the second date.
    """

    rows: NDArray[np.float64]
    cols: NDArray[np.float64]
    radius_px: NDArray[np.float64]
    top_px: NDArray[np.float64]
    needle: NDArray[np.bool_]
    turn: NDArray[np.float64]
    tint: NDArray[np.float64]
    felled: NDArray[np.bool_]


def plan_trees(plan: Plan, outlines: tuple[Polygon, ...]) -> Trees:
    """Every tree of the plan; outlines: the fields, some of whose sides carry hedges."""
    rng = plan.stream(4)
    groves = [forest(wood.outline, rng) for wood in plan.woods]
    groves += [trees_along(path, rng) for path in plan.rivers]
    groves += [trees_around(pond.outline, rng) for pond in plan.ponds]
    groves += [hedgerow(outline, rng) for outline in outlines if rng.random() < 0.5]
    groves += [garden(plot.box.outline(), rng) for plot in plan.plots if not plot.rough]
    groves.append(lone_trees(plan, rng))
    spots = np.concatenate(groves)
    return describe_trees(spots[on_free_ground(spots, plan)], plan, rng)


def describe_trees(spots: Points, plan: Plan, rng: np.random.Generator) -> Trees:
    """Give each (row, col, radius, needle) spot its own height and colour."""
    rows, cols, radius_px, needle = spots.T
    felled = np.zeros(len(spots), bool)
    for wood in plan.woods:
        if wood.clearing is not None:
            felled |= shapely.contains_xy(wood.clearing, cols, rows)
    is_needle = needle > 0.5
    return Trees(
        rows=rows,
        cols=cols,
        radius_px=radius_px,
        top_px=np.where(is_needle, 3.4, 2.5) * radius_px + rng.uniform(2, 7, len(spots)),
        needle=is_needle,
        turn=np.where(is_needle, 0.05, rng.beta(1.2, 5, len(spots))),
        tint=rng.normal(0, 5, (len(spots), 1)) + rng.normal(0, 4, (len(spots), 3)),
        felled=felled,
    )


def on_free_ground(spots: Points, plan: Plan) -> NDArray[np.bool_]:
    """(N,) whether a crown there would hang over no road, roof, yard or water."""
    taken = [ribbon(road.path, road.half_width_px) for road in plan.roads]
    taken += [ribbon(path, RIVER_HALF_PX) for path in plan.rivers]
    taken += [building.box.outline() for building in plan.buildings]
    taken += [slab.box.outline() for slab in plan.slabs]
    taken += [plot.box.outline() for plot in plan.plots if plot.rough]
    taken += [pond.outline for pond in plan.ponds]
    points = shapely.points(spots[:, 1], spots[:, 0])
    _, distance = shapely.STRtree(taken).query_nearest(
        points, all_matches=False, return_distance=True
    )
    return np.asarray(distance > 0.75 * spots[:, 2] + 1)
