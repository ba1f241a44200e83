"""Relief: tall things lean otherwise, and their shadows fall elsewhere, at another visit."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geochange.training.planting.houses import shift_mask
from geochange.training.planting.outlines import Colours, Mask, flood

SHARE = (0.002, 0.08)
"""The least and the largest share of the picture that one tall thing covers."""

MAX_TALL_THINGS = 4
"""The most tall things in one picture."""

LEAN_PX, SHADOW_PX = 7.0, 10.0
"""The largest distance of a top from its foot, and the largest length of a shadow."""


def with_relief(view: Colours, draw: np.random.Generator) -> Colours:
    """The view with some of its outlines seen as tall things: (side, side, 3), 0-255.

    All lean one way and are lit from one side, in proportion to their height. None of it is a
    change.
    """
    lean, sun = (_direction(draw) * reach for reach in (LEAN_PX, SHADOW_PX))
    seen = view.copy()
    for _ in range(draw.integers(1, MAX_TALL_THINGS + 1)):
        mask = flood(view, SHARE, draw)
        if mask is None:
            continue
        height = draw.uniform(0.1, 1)
        if draw.random() < 0.5:
            _cast(seen, mask, height * sun, draw)
        if draw.random() < 0.7:
            _tilt(seen, view, mask, height * lean, draw)
    return seen


def _direction(draw: np.random.Generator) -> NDArray[np.float64]:
    angle = draw.uniform(0, 2 * np.pi)
    return np.array([np.sin(angle), np.cos(angle)])


def _tilt(
    seen: Colours, view: Colours, mask: Mask, by: NDArray[np.float64], draw: np.random.Generator
) -> None:
    """Move the top of a thing; a wall is seen where it was."""
    step = tuple(np.rint(by).astype(int))
    top = shift_mask(mask, step)
    wall = view[mask].mean(axis=0) * draw.uniform(0.4, 1.0)
    for part, colours in ((mask & ~top, wall), (top, np.roll(view, step, (0, 1)))):
        soft = ndimage.gaussian_filter(part.astype(np.float32), 0.5)[..., None]
        seen += soft * (colours - seen)


def _cast(seen: Colours, mask: Mask, by: NDArray[np.float64], draw: np.random.Generator) -> None:
    """Darken the ground in the shadow of a thing."""
    shade = np.zeros_like(mask)
    for part in (0.35, 0.7, 1.0):
        shade |= shift_mask(mask, tuple(np.rint(part * by).astype(int)))
    soft = ndimage.gaussian_filter((shade & ~mask).astype(np.float32), 0.5)[..., None]
    seen *= 1 - draw.uniform(0.3, 0.65) * soft
