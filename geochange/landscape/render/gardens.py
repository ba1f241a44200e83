"""Gardens: hedged lawns, and building land that is not a garden yet."""

from __future__ import annotations

import numpy as np

from geochange.landscape.plan.plan_objects import Plan, Plot
from geochange.landscape.render.canvas import Canvas
from geochange.landscape.shapes import Box, Cover, cover_box

HEDGE = (72, 96, 50)
BARE = (158, 140, 108)


def paint_gardens(canvas: Canvas, plan: Plan, autumn: float) -> None:
    """Every plot of the plan."""
    for plot in plan.plots:
        paint_plot(canvas, plot, autumn)


def paint_plot(canvas: Canvas, plot: Plot, autumn: float) -> None:
    """A lawn hedged on three sides, or building land."""
    if plot.rough:
        paint_rough(canvas, plot, autumn)
        return
    cover = cover_box(plot.box, canvas.extent)
    lawn = np.asarray(plot.lawn) + autumn * np.array((5.0, 0.0, 1.0))
    canvas.paint(cover, canvas.textured(cover, lawn.tolist(), 0.06, 0.07), 0.92)
    side = plot.box.half_along_px - np.abs(cover.along_px)
    back = plot.box.half_across_px + plot.street * cover.across_px
    inside = np.minimum(side, back) + 0.5 * canvas.grain[cover.rows, cover.cols]
    alpha = np.clip(2.2 - inside, 0, 1) * cover.alpha
    hedge = Cover(cover.rows, cover.cols, cover.along_px, cover.across_px, alpha)
    canvas.paint(hedge, canvas.textured(hedge, HEDGE, 0.15, 0.10))
    canvas.raise_to(hedge, 3.0 + 0.8 * canvas.grain[cover.rows, cover.cols])


def paint_rough(canvas: Canvas, plot: Plot, autumn: float) -> None:
    """Building land: rough grass that frays into the field, bare in patches."""
    box = plot.box
    wide = Box(box.row, box.col, box.angle_rad, box.half_along_px + 12, box.half_across_px + 12)
    cover = cover_box(wide, canvas.extent)
    mottle = canvas.mottle[cover.rows, cover.cols]
    beyond = np.hypot(
        np.clip(np.abs(cover.along_px) - box.half_along_px + 4, 0, None),
        np.clip(np.abs(cover.across_px) - box.half_across_px + 4, 0, None),
    )
    fray = np.clip((10 - beyond + 4 * mottle) / 5, 0, 1)
    lawn = np.asarray(plot.lawn) + autumn * np.array((5.0, 0.0, 1.0))
    canvas.paint(cover, canvas.textured(cover, lawn.tolist(), 0.06, 0.06), fray)
    bare = fray * np.clip(0.5 * mottle - 0.25, 0, 0.6)
    canvas.paint(cover, canvas.textured(cover, BARE, 0.05, 0.04), bare)
