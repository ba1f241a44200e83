"""Changes drawn over pictures of the ground, coloured by confidence as in QGIS."""

from __future__ import annotations

from itertools import pairwise

import geopandas as gpd
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from geochange.grid.grid import Grid, to_ground
from geochange.grid.tiling import Window
from geochange.qgis.style import CLASSES
from geochange.report.canvas import Overlay, Rings
from geochange.vector.change_summary import shown_confidence

COLOURS = tuple(each.color for each in CLASSES)
LABELS = tuple(each.label for each in CLASSES)

AROUND, LEAST_PX = 1.7, 48
"""A change is shown in a square this many times its size, and at least this many pixels wide."""

SPECK_PX = 1.5
"""Polygons smaller than so many pixels of the picture are drawn as one pixel, thousands at once."""

_LOWER = np.array([each.lower for each in CLASSES])


class ChangeDrawing:
    """Draws polygons, batch by batch, over a picture of `shape` (rows, cols) of a window."""

    def __init__(
        self,
        grid: Grid,
        window: Window,
        shape: tuple[int, int],
        line_px: float,
        filled: bool = True,
    ) -> None:
        self.shape = shape
        self.overlay = Overlay(shape, COLOURS, line_px, filled)
        scale = Affine.scale(shape[1] / window.width, shape[0] / window.height)
        # From CRS coordinates to pixels of the picture.
        self._to_picture = scale @ ~(grid.transform @ Affine.translation(window.col, window.row))

    def add(self, changes: gpd.GeoDataFrame) -> None:
        """Draw a batch. changes: in the CRS of the grid, with what `shown_confidence` needs."""
        if len(changes) == 0:
            return
        placed = to_ground(np.asarray(changes.geometry, dtype=np.object_), self._to_picture)
        confidence = shown_confidence(changes)
        colours = np.maximum(np.searchsorted(_LOWER, confidence, side="right") - 1, 0)
        left, top, right, bottom = shapely.bounds(placed).T
        speck = np.maximum(right - left, bottom - top) < SPECK_PX
        middles = np.column_stack([left + right, top + bottom])[speck] / 2
        self.overlay.add_specks(middles, colours[speck])
        self.overlay.add(_rings(placed[~speck]), colours[~speck].tolist())


def _rings(changes: NDArray[np.object_]) -> list[Rings]:
    """The rings of each part of each change as arrays, the outer first."""
    # All at once: a call of shapely for every ring takes longer than to draw it.
    parts, change = shapely.get_parts(changes, return_index=True)
    rings, part = shapely.get_rings(parts, return_index=True)
    points, ring = shapely.get_coordinates(rings, return_index=True)
    lines = np.split(points, np.flatnonzero(np.diff(ring)) + 1)
    bounds = np.searchsorted(change[part], np.arange(len(changes) + 1))
    return [lines[first:stop] for first, stop in pairwise(bounds)]


def shown_shape(window: Window, longest_px: int) -> tuple[int, int]:
    """(rows, cols) of a picture of a window whose longer side is `longest_px`."""
    scale = longest_px / max(window.height, window.width)
    return max(1, round(window.height * scale)), max(1, round(window.width * scale))


def window_around(geometry: shapely.Geometry, grid: Grid) -> Window:
    """A square window around a change, moved and cut to lie within the grid."""
    left, top, right, bottom = to_ground(geometry, ~grid.transform).bounds
    side = max(LEAST_PX, round(AROUND * max(right - left, bottom - top)))
    height, width = (min(side, length) for length in grid.shape)
    row = min(max(round((top + bottom - height) / 2), 0), grid.shape[0] - height)
    col = min(max(round((left + right - width) / 2), 0), grid.shape[1] - width)
    return Window(row, col, height, width)
