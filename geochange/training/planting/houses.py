"""Houses: roofs with two sides and a shadow; single, in rows or in blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.training.planting.outlines import Colours, Mask, turned

ROOFS = (
    ((205, 205, 200), 0.3),
    ((235, 235, 235), 0.1),
    ((165, 160, 155), 0.2),
    ((110, 105, 105), 0.15),
    ((75, 72, 75), 0.08),
    ((150, 95, 75), 0.1),
    ((180, 120, 90), 0.07),
)
"""Colours of roofs and how common they are: metal, white, concrete, slate, bitumen, tiles."""


@dataclass(frozen=True, slots=True)
class Houses:
    """Houses as a mask, their colours, and their shadow for a direction of the sun."""

    mask: Mask
    colours: Colours

    def shadow(self, sun: NDArray[np.float64]) -> Mask:
        """The shadow; sun: (rows, cols) from the top of a wall to the end of its shadow."""
        cast = np.zeros_like(self.mask)
        for part in (0.35, 0.7, 1.0):
            cast |= shift_mask(self.mask, tuple(np.rint(part * sun).astype(int)))
        return cast & ~self.mask


def shift_mask(mask: Mask, by: tuple[int, int]) -> Mask:
    """Shift a mask; pixels that enter from outside are empty."""
    moved = np.roll(mask, by, (0, 1))
    for axis, step in enumerate(by):
        edge = [slice(None)] * 2
        edge[axis] = slice(0, step) if step > 0 else slice(step if step else len(mask), None)
        moved[tuple(edge)] = False
    return moved


def build_houses(side: int, far: bool, draw: np.random.Generator) -> Houses:
    """Build houses in one style; far: small blocks, as they look at ten metres a pixel."""
    size = draw.uniform(2, 12) if far else np.exp(draw.uniform(np.log(5), np.log(40)))
    shape = draw.uniform(1, 2.2)
    angle = draw.uniform(0, np.pi)
    mask, colours = np.zeros((side, side), bool), np.zeros((side, side, 3), np.float32)
    roof = _roof(draw)
    for place in _places(side, size, angle, draw):
        own = roof if draw.random() < 0.7 else _roof(draw)
        _add(mask, colours, place, (size * shape, size, angle), own, draw)
    return Houses(mask, colours)


def _places(
    side: int, size: float, angle: float, draw: np.random.Generator
) -> list[tuple[float, float]]:
    """(row, col) of each house: a single one, or a row or grid of them."""
    first = draw.uniform(0.05, 0.95, 2) * side
    if draw.random() < 0.4:
        return [tuple(first)]
    most = int(np.clip(side * 0.7 / size, 2, 7))
    rows, cols = draw.integers(1, 3), draw.integers(2, most + 1)
    step = size * draw.uniform(1.8, 3.0)
    along = np.array([np.sin(angle), np.cos(angle)])
    across = np.array([np.cos(angle), -np.sin(angle)])
    grid = [
        first + step * (r * across * 1.3 + c * along) + draw.normal(0, 0.08 * size, 2)
        for r in range(rows)
        for c in range(cols)
        if draw.random() < 0.85
    ]
    return [tuple(place) for place in grid if (place > -size).all() and (place < side + size).all()]


def _roof(draw: np.random.Generator) -> NDArray[np.float64]:
    chances = np.array([chance for _, chance in ROOFS])
    base = np.array(ROOFS[draw.choice(len(ROOFS), p=chances / chances.sum())][0], float)
    return np.asarray(base * np.exp(draw.normal(0, 0.12)) + draw.normal(0, 6, 3))


def _add(
    mask: Mask,
    colours: Colours,
    place: tuple[float, float],
    shape: tuple[float, float, float],
    roof: NDArray[np.float64],
    draw: np.random.Generator,
) -> None:
    """Draw one house: a rectangle, often with a wing; the sides of its roof are lit differently."""
    long, wide = (size * np.exp(draw.normal(0, 0.12)) for size in shape[:2])
    reach = int(np.hypot(long, wide * 2.2)) + 2
    top, left = (max(0, int(x) - reach) for x in place)
    part = slice(top, max(0, int(place[0]) + reach)), slice(left, max(0, int(place[1]) + reach))
    along, across = turned(mask[part].shape, (place[0] - top, place[1] - left), shape[2])
    house = (np.abs(along) < long / 2) & (np.abs(across) < wide / 2)
    if draw.random() < 0.4:
        offset, depth = draw.uniform(-0.3, 0.3) * long, wide * draw.uniform(0.6, 1.1)
        house |= (np.abs(along - offset) < wide / 3) & (across > 0) & (across < depth)
    lit = 1 + draw.uniform(0, 0.22) * np.sign(across) * (draw.random() < 0.7)
    rough = 1 + draw.uniform(0.01, 0.06) * draw.standard_normal(house.shape)
    edge = 1 - 0.15 * (np.abs(across) > wide / 2 - 1)
    light = (lit * rough * edge).astype(np.float32)
    colours[part][house] = (roof * light[..., None])[house]
    mask[part] |= house
