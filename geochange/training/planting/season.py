"""Season: vegetation is green at one visit and dry at another, field by field."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geochange.training.planting.outlines import Colours, anywhere

Band = NDArray[np.float32]

SHARE = (0.03, 0.7)
"""The least and the largest share of the picture that one field covers."""

MAX_FIELDS = 3
"""The most fields of another season in one picture."""

STRAW, GREEN = np.array([172.0, 154.0, 118.0]), np.array([66.0, 94.0, 54.0])


def with_season(view: Colours, draw: np.random.Generator) -> Colours:
    """The view with meadows and fields of another season: (side, side, 3), 0-255.

    Only pixels that look like grass, crops or straw take the colour. None of it is a change.
    """
    seen = view.copy()
    for _ in range(draw.integers(1, MAX_FIELDS + 1)):
        mask = np.ones(view.shape[:2], bool)
        if draw.random() < 0.7:
            mask = anywhere(view, SHARE, draw)
        alpha = ndimage.gaussian_filter(_growing(view) * mask, draw.uniform(0.4, 1.5))[..., None]
        if alpha.sum() < 1:
            continue
        own = (view * alpha).sum(axis=(0, 1)) / alpha.sum()
        there = (view - own) * draw.uniform(0.5, 1.2) + _colour(draw)
        seen += draw.uniform(0.3, 1) * alpha * (there.astype(np.float32) - seen)
    return np.asarray(np.clip(seen, 0, 255), np.float32)


def greenness(view: Colours) -> NDArray[np.float32]:
    """(side, side) 0-1: how green each pixel is, by excess green (Woebbecke et al. 1995)."""
    return _greenness(*_bands(view))


def _greenness(red: Band, green: Band, blue: Band) -> Band:
    excess = (2 * green - red - blue) / (red + green + blue + 1)
    return np.asarray(np.clip(excess / 0.05, 0, 1), np.float32)


def _growing(view: Colours) -> Band:
    """How much each pixel looks like vegetation: green, or dry like straw."""
    red, green, blue = _bands(view)
    straw = np.clip((np.minimum(red, green) - blue - 2) / 14, 0, 1)
    straw = straw * np.clip((30 - (red - green)) / 10, 0, 1)
    return np.asarray(np.maximum(_greenness(red, green, blue), straw), np.float32)


def _bands(view: Colours) -> tuple[Band, Band, Band]:
    """Red, green and blue, smoothed."""
    red, green, blue = ndimage.uniform_filter(view, (3, 3, 0)).transpose(2, 0, 1)
    return red, green, blue


def _colour(draw: np.random.Generator) -> NDArray[np.float64]:
    """A random colour between fresh grass and straw."""
    mixed = STRAW + draw.uniform(-0.1, 1.1) * (GREEN - STRAW)
    return np.asarray(mixed * np.exp(draw.normal(0, 0.15)))
