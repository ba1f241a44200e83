"""Buildings: paved slabs, cars, and pitched roofs with ridge, tiles and chimney."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geochange.landscape.plan.plan_objects import Building, Plan, Slab, Stands
from geochange.landscape.render.canvas import Canvas
from geochange.landscape.shapes import Box, Cover, cover_box

RUBBLE = (172, 158, 136)
WINDSCREEN = (44, 50, 58)


def paint_slabs(canvas: Canvas, plan: Plan) -> None:
    """Every drive, terrace, yard and car of the plan."""
    for slab in plan.slabs:
        paint_slab(canvas, slab)


def paint_buildings(canvas: Canvas, plan: Plan, autumn: float) -> None:
    """The buildings that stand at the date."""
    for building in plan.buildings:
        if building.stands.at(autumn):
            paint_building(canvas, building)
        elif building.stands is Stands.GONE:
            paint_scar(canvas, building)


def paint_scar(canvas: Canvas, building: Building) -> None:
    """Bare rubble where a building stood."""
    cover = cover_box(building.box, canvas.extent)
    canvas.paint(cover, canvas.textured(cover, RUBBLE, 0.10, 0.08), 0.9)


def paint_slab(canvas: Canvas, slab: Slab) -> None:
    """A flat surface, or a car with its dark glass."""
    cover = cover_box(slab.box, canvas.extent)
    canvas.paint(cover, canvas.textured(cover, slab.colour, 0.03, 0.05 * (not slab.glazed)))
    if slab.height_px:
        canvas.raise_to(cover, slab.height_px)
    if slab.glazed:
        glass = Box(*slab.box.at(0.6, 0), slab.box.angle_rad, 2.4, 1.3)
        canvas.paint(cover_box(glass, canvas.extent), WINDSCREEN, 0.85)
        top = Box(*slab.box.at(0.4, 0), slab.box.angle_rad, 1.3, 1.3)
        canvas.paint(cover_box(top, canvas.extent), slab.colour)


def paint_building(canvas: Canvas, building: Building) -> None:
    """A roof of two planes, four where it is hipped, with its ridge and chimney."""
    box = building.box
    cover = cover_box(box, canvas.extent)
    run_px = box.half_across_px - np.abs(cover.across_px)
    if building.hipped:
        run_px = np.minimum(run_px, box.half_along_px - np.abs(cover.along_px))
    canvas.paint(cover, roof_colour(canvas, building, cover, run_px))
    canvas.raise_to(cover, building.eaves_px + building.slope * np.clip(run_px, 0, None))
    if building.chimney:
        stack = box.inner(box.half_along_px * 0.45, 2.2, (1.2, 1.2))
        top = cover_box(stack, canvas.extent)
        canvas.paint(top, (150, 120, 106))
        canvas.raise_to(top, building.eaves_px + building.slope * box.half_across_px + 1.5)


def roof_colour(
    canvas: Canvas, building: Building, cover: Cover, run_px: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(N, 3) of tiles in courses, or of ribbed sheets with a few skylights."""
    colour = canvas.textured(cover, building.roof, 0.035, 0.035)
    factor = (
        1 + 0.025 * np.sin(run_px * np.pi) + 0.12 * (run_px > building.box.half_across_px - 0.8)
    )
    if building.ribs_px:
        factor = factor - 0.05 * (np.mod(cover.along_px, building.ribs_px) < 1.0)
        pane = np.mod(cover.along_px, 4 * building.ribs_px) < building.ribs_px * 0.6
        factor = factor + 0.10 * (pane & (run_px > 5) & (run_px < 13))
    return np.asarray(colour * factor[:, None], dtype=np.float32)
