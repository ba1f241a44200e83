"""Tapers: the weight of each pixel of a tile in the mosaic, always above 0."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Profile = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""From positions in 0..1 along a tile (pixel centres, never 0 or 1) to weights above 0."""


def _hann(position: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.sin(np.pi * position) ** 2)


def _linear(position: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(1 - np.abs(2 * position - 1))


def _flat(position: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.ones_like(position)


TAPERS: dict[str, Profile] = {"hann": _hann, "linear": _linear, "flat": _flat}


def taper_profile(taper: str, tile_px: int) -> NDArray[np.float64]:
    """(tile,) weights of a taper of TAPERS along an axis of a tile.

    They are sampled at pixel centres, so the outermost pixel has a weight above 0. The edge of the
    raster, which only one tile covers, is no special case.
    """
    return TAPERS[taper]((np.arange(tile_px) + 0.5) / tile_px)


def tile_weights(taper: str, tile_px: int) -> NDArray[np.float32]:
    """(tile, tile) float32 weights of a taper: the product of both axes."""
    along = taper_profile(taper, tile_px)
    return np.outer(along, along).astype(np.float32)
