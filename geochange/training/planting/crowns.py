"""Crowns: the same trees at both visits, whose shadows follow the sun and whose tops lean.

Small shadows that move are what a network most easily takes for change: they are dark, have edges
and differ from one visit to the next. None of it is a change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geochange.training.planting.outlines import Colours

COUNT = (3, 45)
"""The fewest and the most trees in one picture."""

RADIUS_PX = (1.8, 8.0)
"""The radius of the smallest and of the largest crown."""

SHADOW, LEAN = 2.2, 0.5
"""The greatest length of a shadow, and the greatest lean of a top, in radii."""

LEAVES = np.array(
    [[52.0, 72.0, 42.0], [70.0, 88.0, 50.0], [58.0, 66.0, 56.0], [112.0, 104.0, 78.0]]
)
"""Colours of crowns: dark and light leaves, needles, and bare branches."""

OUTER_PX = 0.6
"""How soft the edge of a crown is, in pixels."""


@dataclass(frozen=True, slots=True)
class Trees:
    """Trees by centre (tree, 2) in pixels, radius in pixels, and brightness (about 1)."""

    centres: NDArray[np.float64]
    radii: NDArray[np.float64]
    tones: NDArray[np.float64]


def wooded(views: list[Colours], draw: np.random.Generator) -> list[Colours]:
    """Both views, (side, side, 3) in 0-255, with the same trees in them."""
    trees = _trees(len(views[0]), draw)
    leaves = LEAVES[draw.integers(len(LEAVES))] * np.exp(draw.normal(0, 0.15))
    rough = ndimage.gaussian_filter(draw.normal(0, 1, views[0].shape[:2]), 0.8)
    return [_grown(view, trees, leaves, rough, draw) for view in views]


def _trees(side: int, draw: np.random.Generator) -> Trees:
    """Trees that stand in rows, in groups, or anywhere."""
    count = int(np.exp(draw.uniform(*np.log(COUNT))))
    kind = draw.integers(3)
    centres = draw.uniform(0, side, (count, 2))
    if kind == 0:
        start, end = draw.uniform(0, side, (2, 2))
        centres = start + np.linspace(0, 1, count)[:, None] * (end - start)
    elif kind == 1:
        centres = draw.uniform(0, side, 2) + draw.normal(0, side / 10, (count, 2))
    size = np.exp(draw.uniform(*np.log(RADIUS_PX)))
    radii = np.clip(size * np.exp(draw.normal(0, 0.25, count)), *RADIUS_PX)
    return Trees(centres, radii, np.exp(draw.normal(0, 0.1, count)))


def _grown(
    view: Colours,
    trees: Trees,
    leaves: NDArray[np.float64],
    rough: NDArray[np.float64],
    draw: np.random.Generator,
) -> Colours:
    """One visit: all shadows fall one way, all tops lean one way."""
    side = len(view)
    angle = draw.uniform(0, 2 * np.pi)
    sun = np.array([np.sin(angle), np.cos(angle)])
    cast, lean = sun * draw.uniform(0.3, SHADOW), draw.uniform(-1, 1, 2) * LEAN
    shade, cover, light = np.zeros((side, side)), np.zeros((side, side)), np.ones((side, side))
    for centre, radius, tone in zip(trees.centres, trees.radii, trees.tones, strict=True):
        for part in (0.35, 0.7, 1.0):
            place, disc, _ = _disc(side, centre + cast * radius * part, radius)
            shade[place] = np.maximum(shade[place], disc)
        place, disc, away = _disc(side, centre + lean * radius, radius)
        cover[place] = np.maximum(cover[place], disc)
        lit = tone * (1 - 0.25 * (away[0] * sun[0] + away[1] * sun[1]) / radius)
        light[place] += disc * (lit - light[place])
    seen = view * (1 - draw.uniform(0.3, 0.65) * shade[..., None])
    colour = leaves * np.exp(draw.normal(0, 0.08, 3))
    crown = colour * (light * (1 + 0.25 * rough))[..., None]
    seen += cover[..., None] * (crown - seen)
    return np.asarray(np.clip(seen, 0, 255), np.float32)


def _disc(
    side: int, centre: NDArray[np.float64], radius: float
) -> tuple[tuple[slice, slice], NDArray[np.float64], tuple[NDArray[np.float64], ...]]:
    """A part of the picture, a soft disc in it (0 to 1), and how far its pixels are off the centre.

    Empty beyond the picture.
    """
    reach = radius + 2
    spans = [(max(0, int(at - reach)), max(0, min(side, int(at + reach) + 1))) for at in centre]
    rows, cols = (np.arange(*span) - at for span, at in zip(spans, centre, strict=True))
    away = np.hypot(rows[:, None], cols[None])
    disc = np.clip((radius - away) / (2 * OUTER_PX) + 0.5, 0, 1)
    place = slice(*spans[0]), slice(*spans[1])
    return place, disc, (rows[:, None], cols[None])
