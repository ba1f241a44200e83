"""Scene: two photographs of one made-up landscape, and what changed between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from shapely import Polygon, box

from geochange.errors import OptionError
from geochange.landscape.plan.layout import plan_landscape
from geochange.landscape.plan.parcels import Parcels, divide_into_fields
from geochange.landscape.plan.plan_objects import Plan, Stands
from geochange.landscape.plan.trees import Trees, plan_trees
from geochange.landscape.render.buildings import paint_buildings, paint_slabs
from geochange.landscape.render.canvas import Canvas, blank_canvas
from geochange.landscape.render.clearings import paint_floors
from geochange.landscape.render.crowns import paint_trees
from geochange.landscape.render.fields import paint_fields
from geochange.landscape.render.gardens import paint_gardens
from geochange.landscape.render.light import photograph
from geochange.landscape.render.roads import paint_roads
from geochange.landscape.render.seasons import EARLY_AUTUMN, EARLY_SUMMER
from geochange.landscape.render.water import paint_water
from geochange.landscape.shapes import ribbon

SMALLEST_PX = 512
PIXEL_M = 0.5


@dataclass(frozen=True, slots=True)
class PlantedChange:
    """One known change. kind: building, demolished, road, felled or drained.

    outline: in (col, row) pixels of the grid of before, corners whole, centres at halves.
    """

    kind: str
    outline: Polygon


@dataclass(frozen=True, slots=True)
class Landscape:
    """The same ground photographed twice.

    before, after: (row, col, 3) uint8, red, green, blue, at 0.5 m a pixel;
    after lies a fraction of a pixel off. planted: every change there is to find.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    planted: tuple[PlantedChange, ...]


def make_landscape(size: int = 1536, seed: int = 7) -> Landscape:
    """Make up a square landscape of `size` pixels a side, always the same for one seed."""
    if size < SMALLEST_PX:
        raise OptionError(f"a landscape of {size} px is too small; ask for {SMALLEST_PX} or more")
    plan = plan_landscape(size, seed)
    parcels = divide_into_fields(plan)
    trees = plan_trees(plan, parcels.outlines)
    before, after = (
        photograph(
            render_ground(plan, parcels, trees, season.autumn), season, plan.stream(10 + number)
        )
        for number, season in enumerate((EARLY_SUMMER, EARLY_AUTUMN))
    )
    return Landscape(before, after, tuple(planted_changes(plan)))


def render_ground(plan: Plan, parcels: Parcels, trees: Trees, autumn: float) -> Canvas:
    """The surface at one date, painted from the ground up."""
    canvas = blank_canvas(paint_fields(plan, parcels, autumn), plan.stream(6))
    paint_floors(canvas, plan, autumn)
    paint_gardens(canvas, plan, autumn)
    paint_water(canvas, plan, autumn)
    paint_roads(canvas, plan, autumn)
    paint_slabs(canvas, plan)
    paint_buildings(canvas, plan, autumn)
    paint_trees(canvas, trees, autumn)
    return canvas


def planted_changes(plan: Plan) -> list[PlantedChange]:
    """The changes of a plan, clipped to the picture."""
    changes = [
        PlantedChange(
            "demolished" if thing.stands is Stands.GONE else "building", thing.box.outline()
        )
        for thing in plan.buildings
        if thing.stands is not Stands.ALWAYS
    ]
    main = [ribbon(road.path, road.half_width_px) for road in plan.roads if road.marked]
    for road in plan.roads:
        if road.stands is Stands.NEW:
            outline = ribbon(road.path, road.half_width_px)
            for other in main:
                outline = outline.difference(other)
            changes.append(PlantedChange("road", outline))
    changes += [
        PlantedChange("felled", wood.clearing) for wood in plan.woods if wood.clearing is not None
    ]
    changes += [PlantedChange("drained", pond.outline) for pond in plan.ponds if pond.drained]
    frame = box(0, 0, plan.size_px, plan.size_px)
    return [PlantedChange(change.kind, change.outline.intersection(frame)) for change in changes]
