"""Crowns: each tree as a dome or cone that takes light and throws shade."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from geochange.landscape.plan.trees import Trees
from geochange.landscape.render.canvas import Canvas
from geochange.landscape.render.noise import Floats
from geochange.landscape.shapes import Extent

Window = tuple[slice, slice]
LEAF = np.array((88.0, 108.0, 64.0))
NEEDLE = np.array((70.0, 92.0, 66.0))
TURNED = np.array((30.0, 8.0, -8.0))
"""What a crown gains when its leaves have turned."""
RAGGED, LOBED = 0.06, 0.13
"""How far leaves and boughs bend the edge of a crown, as shares of its radius."""


def paint_trees(canvas: Canvas, trees: Trees, autumn: float) -> None:
    """Every crown that stands at the date, one over another."""
    colour = np.where(trees.needle[:, None], NEEDLE, LEAF) + trees.tint
    colour = colour + autumn * (trees.turn[:, None] * TURNED + np.array((3.0, 0.5, 0.0)))
    colour = colour.astype(np.float32)
    for number in range(len(trees.rows)):
        if not (autumn and trees.felled[number]):
            paint_crown(canvas, trees, number, colour[number])


def paint_crown(canvas: Canvas, trees: Trees, number: int, colour: NDArray[np.float32]) -> None:
    """One crown: a lobed dome, or a cone for a conifer, wherever it tops what is there."""
    row, col, radius_px = trees.rows[number], trees.cols[number], trees.radius_px[number]
    window = window_around(row, col, radius_px * 1.3, canvas.extent)
    grain = canvas.grain[window]
    reach = (
        distance_from(row, col, window) / radius_px + RAGGED * grain + LOBED * canvas.mottle[window]
    )
    inside = reach < 1
    if not inside.any():
        return
    if trees.needle[number]:
        dome = 2.6 * radius_px * (1 - reach)
    else:
        dome = 1.25 * radius_px * np.sqrt(np.maximum(1 - reach * reach, 0))
    crown = dome + (trees.top_px[number] - dome.max()) + 0.55 * grain
    wins = inside & (crown > canvas.height_px[window])
    np.copyto(canvas.height_px[window], crown, where=wins, casting="same_kind")
    shine = 0.86 + 0.2 * (1 - reach) + 0.09 * grain
    np.copyto(
        canvas.colour[window],
        shine[..., None] * colour,
        where=wins[..., None],
        casting="same_kind",
    )


def distance_from(row: float, col: float, window: Window) -> Floats:
    """(row, col) distance in px of a window's pixel centres from a place."""
    down = np.arange(window[0].start, window[0].stop, dtype=np.float32) + np.float32(0.5 - row)
    right = np.arange(window[1].start, window[1].stop, dtype=np.float32) + np.float32(0.5 - col)
    return np.asarray(np.sqrt((down * down)[:, None] + right * right))


def window_around(row: float, col: float, reach_px: float, extent: Extent) -> Window:
    """The pixels within reach of a place, clipped to the picture; empty when it lies outside."""
    spans = []
    for centre, limit in zip((row, col), extent, strict=True):
        first = min(max(int(centre - reach_px), 0), limit)
        spans.append(slice(first, max(first, min(int(centre + reach_px) + 1, limit))))
    return spans[0], spans[1]
