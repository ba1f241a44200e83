"""Alpha bands that hold a colour: some programs flag near infrared, the fourth band, as alpha."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geochange.grid.tiling import Window
from geochange.raster.aligned import AlignedRaster
from geochange.raster.scene.sampling import sample_windows

WINDOWS = 16
"""So many windows of the scene sample are enough."""

ENOUGH_PX = 64

MOSTLY = 0.5
"""Transparency has one value on more than this share of the pixels that are seen."""


def colour_in_alpha(date: AlignedRaster) -> int | None:
    """The 1-based number of an alpha band that varies as a colour does; None if there is none.

    Only an alpha band that is not compared itself is looked at.
    """
    number = date.info.alpha
    if number is None or number in date.bands:
        return None
    alpha = replace(date, bands=(number,))
    windows = sample_windows(date.grid.shape, 1)
    lost: set[Window] = set()
    with alpha.reader(lost, finely=False) as read:
        parts = [read(window) for window in windows[:: -(-len(windows) // WINDOWS)]]
    seen = np.concatenate([pixels[valid] for pixels, valid in parts])
    seen = seen[seen > 0]
    if len(seen) < ENOUGH_PX:
        return None
    _, counts = np.unique(seen, return_counts=True)
    return number if counts.max() < MOSTLY * len(seen) else None
