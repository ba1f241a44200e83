"""Clearings: forest floor under the trees, and the bare ground a felling leaves."""

from __future__ import annotations

import numpy as np
from shapely import Polygon

from geochange.landscape.plan.plan_objects import Plan
from geochange.landscape.render.canvas import Canvas
from geochange.landscape.shapes import Box, cover_area, cover_box

FLOOR = (74, 84, 52)
BROWN = (143, 121, 95)
BRASH = (104, 92, 74)
STUMP = (206, 178, 136)
SWATH_PX = 22.0


def paint_floors(canvas: Canvas, plan: Plan, autumn: float) -> None:
    """The floor of every wood, opened where trees were felled by the date."""
    rng = plan.stream(5)
    for wood in plan.woods:
        floor = cover_area(wood.outline, canvas.extent, soft_px=8)
        canvas.paint(floor, canvas.textured(floor, FLOOR, 0.12, 0.10))
        if wood.clearing is not None and autumn >= 0.5:
            paint_clearing(canvas, wood.clearing, rng)


def paint_clearing(canvas: Canvas, outline: Polygon, rng: np.random.Generator) -> None:
    """Brown soil, brash raked into swaths, wheel ruts and scattered stumps."""
    cover = cover_area(outline, canvas.extent, soft_px=5)
    mottle, grain = canvas.mottle[cover.rows, cover.cols], canvas.grain[cover.rows, cover.cols]
    canvas.paint(cover, canvas.textured(cover, BROWN, 0.06, 0.09))
    across = cover.rows * 0.8 + cover.cols * 0.6 + 2.2 * mottle
    brash = np.clip(np.cos(across * 2 * np.pi / SWATH_PX) * 1.6 - 0.7 + 0.6 * grain, 0, 0.8)
    canvas.paint(cover, canvas.textured(cover, BRASH, 0.22, 0.05), brash)
    ruts = np.exp(-(((np.abs(np.mod(across, SWATH_PX) - SWATH_PX / 2) - 2) / 0.8) ** 2))
    canvas.paint(cover, (120, 96, 74), 0.5 * ruts)
    for at in rng.integers(0, max(len(cover.rows), 1), len(cover.rows) // 260):
        stump = Box(cover.rows[at] + 0.5, cover.cols[at] + 0.5, 0.6, 0.9, 0.9)
        canvas.paint(cover_box(stump, canvas.extent), STUMP)
        canvas.raise_to(cover_box(stump, canvas.extent), 0.8)
