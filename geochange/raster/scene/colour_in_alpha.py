"""Detects alpha bands that hold a colour. Some programs flag near infrared (band 4) as alpha."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geochange.grid.tiling import Window
from geochange.raster.scene.sampling import sample_windows
from geochange.raster.warped_raster import WarpedRaster

WINDOWS = 16
"""The number of windows of the scene sample that are read."""

ENOUGH_PX = 64

MAX_VALUE_SHARE = 0.5
"""In a true alpha band, one value covers more than this share of the pixels."""


def colour_in_alpha(date: WarpedRaster) -> int | None:
    """The 1-based number of an alpha band that varies as a colour does; None without one.

    An alpha band that is compared itself is not checked.
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
    return number if counts.max() < MAX_VALUE_SHARE * len(seen) else None
