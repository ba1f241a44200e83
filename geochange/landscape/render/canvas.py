"""Canvas: what the ground is made of, before any light falls on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from geochange.landscape.render.noise import Floats, fractal_noise
from geochange.landscape.shapes import Cover, Extent

Colour = Sequence[float]
"""Red, green, blue in 0 .. 255, as a plain surface looks in full sun."""


@dataclass(frozen=True, slots=True)
class Canvas:
    """The surface of one date, painted in place.

    colour: (row, col, 3) float32 in 0 .. 255; height_px: (row, col) float32 above the ground.
    grain, mottle: (row, col) noise fields every painter shares, of pixels and of metres.
    """

    colour: Floats
    height_px: Floats
    grain: Floats
    mottle: Floats

    @property
    def extent(self) -> Extent:
        """(rows, cols)."""
        return self.height_px.shape[0], self.height_px.shape[1]

    def paint(self, cover: Cover, colour: ArrayLike, opacity: ArrayLike = 1.0) -> None:
        """Lay a colour, one or (N, 3), over the covered pixels."""
        alpha = (cover.alpha * np.asarray(opacity))[:, None].astype(np.float32)
        under = self.colour[cover.rows, cover.cols]
        self.colour[cover.rows, cover.cols] = under + alpha * (np.asarray(colour) - under)

    def textured(self, cover: Cover, colour: Colour, grain: float, mottle: float) -> Floats:
        """(N, 3) of one colour varied by the shared noise; the strengths are relative."""
        here = cover.rows, cover.cols
        factor = 1 + grain * self.grain[here] + mottle * self.mottle[here]
        return np.asarray(factor[:, None] * np.asarray(colour, np.float32), dtype=np.float32)

    def raise_to(self, cover: Cover, height_px: ArrayLike) -> None:
        """Lift the pixels more than half covered to a height, never lowering any."""
        solid = cover.alpha >= 0.5
        rows, cols = cover.rows[solid], cover.cols[solid]
        heights = np.broadcast_to(np.asarray(height_px, np.float32), cover.rows.shape)[solid]
        self.height_px[rows, cols] = np.maximum(self.height_px[rows, cols], heights)


def blank_canvas(colour: Floats, rng: np.random.Generator) -> Canvas:
    """A flat canvas over a painted ground of (row, col, 3)."""
    extent = colour.shape[0], colour.shape[1]
    grain = fractal_noise(extent, rng, longest_px=6, shortest_px=0.6, slope=0.8)
    mottle = fractal_noise(extent, rng, longest_px=60, shortest_px=3, slope=1.4)
    return Canvas(colour, np.zeros(extent, np.float32), grain, mottle)
