"""Water: the river between its banks, the pond, and the mud of a drained pond."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from geochange.landscape.plan.countryside import RIVER_HALF_PX
from geochange.landscape.plan.plan_objects import Plan, Pond
from geochange.landscape.render.canvas import Canvas
from geochange.landscape.render.noise import line_noise
from geochange.landscape.shapes import Cover, Points, cover_area, cover_ribbon

DEEP = np.array((52.0, 66.0, 64.0))
SHALLOW = np.array((92.0, 98.0, 78.0))
REED = (104, 116, 66)
MUD = np.array((148.0, 134.0, 110.0))
WET_MUD = np.array((88.0, 80.0, 72.0))
CRACK_SPACING_PX = 5.5


def paint_water(canvas: Canvas, plan: Plan, autumn: float) -> None:
    """All rivers and ponds of the plan."""
    rng = plan.stream(3)
    for path in plan.rivers:
        paint_river(canvas, path, rng)
    for pond in plan.ponds:
        if pond.drained and autumn >= 0.5:
            paint_mud(canvas, pond, rng)
        else:
            paint_pond(canvas, pond)


def paint_river(canvas: Canvas, path: Points, rng: np.random.Generator) -> None:
    """Dark water, shallower towards banks of varying width."""
    cover = cover_ribbon(path, RIVER_HALF_PX + 6, canvas.extent)
    wander = line_noise(1 << 14, rng, smooth_px=14)[cover.along_px.astype(np.intp) % (1 << 14)]
    half_px = RIVER_HALF_PX + 1.6 * wander + 0.7 * canvas.mottle[cover.rows, cover.cols]
    depth = half_px - np.abs(cover.across_px)
    bank = Cover(cover.rows, cover.cols, depth, depth, np.clip((depth + 5) / 3, 0, 1))
    canvas.paint(bank, canvas.textured(bank, REED, 0.10, 0.10), 0.85)
    water = Cover(cover.rows, cover.cols, depth, depth, np.clip(depth + 0.5, 0, 1))
    canvas.paint(water, water_colour(canvas, water))


def paint_pond(canvas: Canvas, pond: Pond) -> None:
    """Still water inside a rim of reed."""
    rim = cover_area(pond.outline.buffer(5), canvas.extent, soft_px=3)
    canvas.paint(rim, canvas.textured(rim, REED, 0.13, 0.12))
    water = cover_area(pond.outline, canvas.extent)
    canvas.paint(water, water_colour(canvas, water))


def water_colour(canvas: Canvas, cover: Cover) -> NDArray[np.float64]:
    """(N, 3) of water whose bed shows through near the bank."""
    clear = np.exp(-np.clip(cover.across_px, 0, None) / 4.0)[:, None]
    ripple = (
        1
        + 0.05 * canvas.mottle[cover.rows, cover.cols]
        + 0.02 * canvas.grain[cover.rows, cover.cols]
    )
    return np.asarray((DEEP + clear * 0.7 * (SHALLOW - DEEP)) * ripple[:, None])


def paint_mud(canvas: Canvas, pond: Pond, rng: np.random.Generator) -> None:
    """A drained bed: pale and cracked at the rim, wet with a few puddles in the middle."""
    rim = cover_area(pond.outline.buffer(5), canvas.extent, soft_px=3)
    canvas.paint(rim, canvas.textured(rim, REED, 0.13, 0.12))
    bed = cover_area(pond.outline, canvas.extent, soft_px=3)
    if not bed.rows.size:
        return
    mottle = canvas.mottle[bed.rows, bed.cols]
    wet = np.clip(bed.along_px / max(bed.along_px.max(), 1) * 1.1 - 0.35 + 0.28 * mottle, 0, 1)
    tone = MUD + wet[:, None] * (WET_MUD - MUD)
    tone *= (1 + 0.05 * mottle + 0.04 * canvas.grain[bed.rows, bed.cols])[:, None]
    # The shore fell by stages, and each left its ring.
    rings = 0.045 * np.sin(bed.along_px / 2.6 + 0.8 * mottle) * np.exp(-bed.along_px / 22)
    dark = 0.20 * cracks(bed, rng) * (1 - wet) - rings
    canvas.paint(bed, tone * (1 - dark)[:, None])
    puddle = Cover(bed.rows, bed.cols, bed.along_px, bed.across_px, np.clip((wet - 0.72) * 8, 0, 1))
    canvas.paint(puddle, (66, 74, 78), 0.9)


def cracks(bed: Cover, rng: np.random.Generator) -> NDArray[np.float64]:
    """(N,) 0 .. 1: how close each pixel is to a seam between plates of dried mud."""
    pixels = np.stack([bed.rows, bed.cols], axis=1).astype(float)
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    count = int(np.prod(high - low) / CRACK_SPACING_PX**2) + 2
    plates = rng.uniform(low, high, (count, 2))
    distance, _ = cKDTree(plates).query(pixels, k=2)
    return np.asarray(np.exp(-(((distance[:, 1] - distance[:, 0]) / 0.9) ** 2)))
