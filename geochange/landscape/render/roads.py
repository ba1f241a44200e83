"""Roads: asphalt with its lines and wear, rutted tracks, and the cars that stand on them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geochange.landscape.plan.plan_objects import Plan, Road
from geochange.landscape.render.canvas import Canvas
from geochange.landscape.shapes import Cover, cover_ribbon

LINE = (222, 222, 216)
VERGE = (132, 140, 88)
DASH_PX, DASH_GAP_PX = 8.0, 12.0


def paint_roads(canvas: Canvas, plan: Plan, autumn: float) -> None:
    """The roads that stand at the date, the main ones last so that they run through."""
    for road in sorted(plan.roads, key=lambda road: road.marked):
        if road.stands.at(autumn):
            paint_road(canvas, road)


def paint_road(canvas: Canvas, road: Road) -> None:
    """One road with its verge, surface and markings."""
    cover = cover_ribbon(road.path, road.half_width_px + 5, canvas.extent)
    verge = narrow_cover(cover, road.half_width_px + (3.5 if road.marked else 1.5))
    canvas.paint(verge, canvas.textured(verge, VERGE, 0.06, 0.08), 0.8)
    surface = narrow_cover(cover, road.half_width_px)
    tone = canvas.textured(surface, road.surface, 0.018, 0.025)
    if not road.rutted:
        # Tyres polish two bands a lane, the crown between the lanes keeps its dust.
        lane = np.abs(np.abs(cover.across_px) - road.half_width_px / 2)
        tone = tone * (1 - 0.05 * np.exp(-((lane / 1.3) ** 2)))[:, None].astype(np.float32)
    canvas.paint(surface, tone)
    if road.rutted:
        grass = Cover(
            cover.rows, cover.cols, cover.along_px, cover.across_px, strip_alpha(cover, 0, 0.9)
        )
        canvas.paint(grass, canvas.textured(grass, VERGE, 0.08, 0.10), 0.75)
    if road.marked:
        paint_markings(canvas, cover, road.half_width_px)


def paint_markings(canvas: Canvas, cover: Cover, half_width_px: float) -> None:
    """Edge lines and a dashed centre line, both narrower than a pixel."""
    dashed = np.mod(cover.along_px, DASH_PX + DASH_GAP_PX) < DASH_PX
    centre = 0.62 * strip_alpha(cover, 0, 0.5) * dashed
    edges = 0.5 * strip_alpha(cover, half_width_px - 1.4, 0.4)
    alpha = np.maximum(centre, edges)
    canvas.paint(Cover(cover.rows, cover.cols, cover.along_px, cover.across_px, alpha), LINE)


def narrow_cover(cover: Cover, half_width_px: float) -> Cover:
    """The same ribbon, narrower."""
    alpha = np.clip(half_width_px - np.abs(cover.across_px) + 0.5, 0, 1)
    return Cover(cover.rows, cover.cols, cover.along_px, cover.across_px, alpha)


def strip_alpha(cover: Cover, offset_px: float, half_px: float) -> NDArray[np.float64]:
    """(N,) share of each pixel within half_px of two lines offset_px either side of the middle."""
    away = np.abs(np.abs(cover.across_px) - offset_px)
    return np.asarray(np.clip(half_px + 0.5 - away, 0, 1))
