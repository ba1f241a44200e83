"""Outlines: masks (side, side) bool of places where something new may lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

Mask = NDArray[np.bool_]
Colours = NDArray[np.float32]
"""(side, side, 3), 0-255."""

ATTEMPTS = 4


def flood(colours: Colours, share: tuple[float, float], draw: np.random.Generator) -> Mask | None:
    """A real outline: the pixels connected to a random pixel and similar in colour.

    share: the least and the largest share of the picture that it may cover. Returns None if a few
    tries find no outline of such a size.
    """
    side = len(colours)
    smooth = ndimage.uniform_filter(colours, (3, 3, 0))
    for _ in range(ATTEMPTS):
        row, col = draw.integers(side, size=2)
        alike = np.abs(smooth - smooth[row, col]).max(axis=2) < draw.uniform(10, 40)
        pieces, _ = ndimage.label(alike)
        mask = pieces == pieces[row, col]
        if share[0] < mask.mean() < share[1]:
            filled = ndimage.binary_fill_holes(ndimage.binary_opening(mask))
            return np.asarray(filled) if filled.any() else mask
    return None


def blob(side: int, share: tuple[float, float], draw: np.random.Generator) -> Mask:
    """A round, ragged patch at a random position."""
    size = side * np.sqrt(draw.uniform(*share))
    rows, cols = np.ogrid[:side, :side]
    row, col = draw.uniform(0, side, 2)
    away = np.hypot(rows - row, cols - col) / (0.56 * size)
    ragged = away + draw.uniform(0.1, 0.7) * waves(side, draw.uniform(0.3, 1.2) * size, draw)
    return np.asarray(ragged < 1)


def waves(side: int, length_px: float, draw: np.random.Generator) -> NDArray[np.float32]:
    """(side, side) of smooth noise from about -1 to 1."""
    count = int(np.clip(side / max(length_px, 4), 1, 24)) + 2
    coarse = draw.uniform(-1, 1, (count, count)).astype(np.float32)
    smooth = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    return np.asarray(smooth)


def turned(
    shape: tuple[int, ...], place: tuple[float, float], angle: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coordinates along and across a direction from (row, col), in pixels; each (rows, cols)."""
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    down, right = rows - place[0], cols - place[1]
    return (
        right * np.cos(angle) + down * np.sin(angle),
        down * np.cos(angle) - right * np.sin(angle),
    )


def rectangle(side: int, share: tuple[float, float], draw: np.random.Generator) -> Mask:
    """A parcel in a random direction."""
    area = side**2 * draw.uniform(*share)
    long = draw.uniform(1, 3)
    width = np.sqrt(area / long)
    along, across = turned((side, side), tuple(draw.uniform(0, side, 2)), draw.uniform(0, np.pi))
    return np.asarray((np.abs(along) < width * long / 2) & (np.abs(across) < width / 2))


def road(side: int, draw: np.random.Generator) -> Mask:
    """A slightly curved strip."""
    along, across = turned(
        (side, side), tuple(draw.uniform(0.2, 0.8, 2) * side), draw.uniform(0, np.pi)
    )
    bend = draw.normal(0, 0.002) * along**2
    reach = side * draw.uniform(0.2, 1.0)
    return np.asarray((np.abs(across + bend) < draw.uniform(1.2, 5)) & (np.abs(along) < reach))


def anywhere(colours: Colours, share: tuple[float, float], draw: np.random.Generator) -> Mask:
    """An outline of a random kind, mostly a real one."""
    kind = draw.random()
    if kind < 0.5 and (found := flood(colours, share, draw)) is not None:
        return found
    make = blob if kind < 0.75 else rectangle
    return make(len(colours), share, draw)
