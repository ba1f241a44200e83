"""Shapes on the pixel grid: boxes, blobs and ribbons, as outlines and as the pixels they cover.

Points are (row, col) with the centre of the first pixel at (0.5, 0.5); only the shapely
outlines speak (x, y) = (col, row).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree
from shapely import LineString, Polygon

Points = NDArray[np.float64]
"""(N, 2) of (row, col) in pixels."""
Index = NDArray[np.intp]
Values = NDArray[np.float64]
Extent = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Box:
    """A turned rectangle: its centre, the angle of its long axis and its two half sides, in px."""

    row: float
    col: float
    angle_rad: float
    half_along_px: float
    half_across_px: float

    def at(self, along_px: float, across_px: float) -> tuple[float, float]:
        """(row, col) of a point given from the centre along and across the box."""
        sin, cos = np.sin(self.angle_rad), np.cos(self.angle_rad)
        row = self.row + along_px * sin + across_px * cos
        return float(row), float(self.col + along_px * cos - across_px * sin)

    def inner(self, along_px: float, across_px: float, half_sides_px: tuple[float, float]) -> Box:
        """A box of the same angle placed from this one's centre."""
        return Box(*self.at(along_px, across_px), self.angle_rad, *half_sides_px)

    def local(self, rows: Values, cols: Values) -> tuple[Values, Values]:
        """How far (rows, cols) lie along and across from the centre, in px."""
        sin, cos = np.sin(self.angle_rad), np.cos(self.angle_rad)
        down, right = rows - self.row, cols - self.col
        return down * sin + right * cos, down * cos - right * sin

    def outline(self, grow_px: float = 0.0) -> Polygon:
        """The rectangle in (col, row)."""
        along, across = self.half_along_px + grow_px, self.half_across_px + grow_px
        corners = ((-along, -across), (along, -across), (along, across), (-along, across))
        return Polygon([self.at(*corner)[::-1] for corner in corners])


@dataclass(frozen=True, slots=True)
class Cover:
    """The pixels a shape covers, (N,) each, with two coordinates that belong to the shape.

    Of a box or a ribbon: px along and across it, alpha softened at the edges.
    Of an area: both are the depth in px, how far the edge is.
    """

    rows: Index
    cols: Index
    along_px: Values
    across_px: Values
    alpha: Values


def pixels_of(outline: Polygon, extent: Extent) -> tuple[Index, Index]:
    """(rows, cols) of the pixels whose centres lie in the outline and in the picture."""
    left, top, right, bottom = outline.bounds
    first_row, last_row = np.clip([int(top), int(bottom) + 1], 0, extent[0])
    first_col, last_col = np.clip([int(left), int(right) + 1], 0, extent[1])
    crossings = np.zeros((last_row - first_row, last_col - first_col + 1), np.uint8)
    ring = np.asarray(outline.exterior.coords)
    rows, cols = row_crossings(ring, int(first_row), int(last_row))
    np.add.at(crossings, (rows - first_row, np.clip(cols, first_col, last_col) - first_col), 1)
    # A pixel is inside where an odd number of sides lies to its left.
    inside = np.cumsum(crossings[:, :-1], axis=1, dtype=np.uint8) & 1
    found_rows, found_cols = np.nonzero(inside)
    return found_rows + first_row, found_cols + first_col


def row_crossings(ring: Values, first_row: int, last_row: int) -> tuple[Index, Index]:
    """Where a closed (col, row) ring crosses the middle of each row of pixels.

    Returns (row, col) of the first pixel whose centre lies beyond each crossing.
    """
    (x0, y0), (x1, y1) = ring[:-1].T, ring[1:].T
    starts = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), first_row, last_row).astype(np.intp)
    stops = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), first_row, last_row).astype(np.intp)
    side = np.repeat(np.arange(len(x0)), stops - starts)
    rows = np.arange(len(side)) - np.repeat(np.cumsum(stops - starts) - stops, stops - starts)
    share = (rows + 0.5 - y0[side]) / (y1 - y0)[side]
    x = x0[side] + share * (x1 - x0)[side]
    return rows, np.ceil(x - 0.5).astype(np.intp)


def cover_box(box: Box, extent: Extent) -> Cover:
    """The pixels of a box, with half a pixel of soft edge."""
    rows, cols = pixels_of(box.outline(grow_px=1.0), extent)
    along, across = box.local(np.add(rows, 0.5, dtype=float), np.add(cols, 0.5, dtype=float))
    edge = np.minimum(box.half_along_px - np.abs(along), box.half_across_px - np.abs(across))
    return Cover(rows, cols, along, across, np.clip(edge + 0.5, 0, 1))


def cover_ribbon(path: Points, half_width_px: float, extent: Extent) -> Cover:
    """The pixels within half_width_px of a path; across_px is positive on its right hand."""
    track = densify(path, 1.0)
    rows, cols = pixels_of(ribbon(path, half_width_px + 1.0), extent)
    centres = np.stack([rows + 0.5, cols + 0.5], axis=1)
    _, nearest = cKDTree(track).query(centres)
    ahead = np.gradient(track, axis=0)[nearest]
    down, right = (centres - track[nearest]).T
    across = (down * ahead[:, 1] - right * ahead[:, 0]) / np.hypot(*ahead.T)
    alpha = np.clip(half_width_px - np.abs(across) + 0.5, 0, 1)
    return Cover(rows, cols, nearest.astype(np.float64), across, alpha)


def cover_area(outline: Polygon, extent: Extent, soft_px: float = 2.0) -> Cover:
    """The pixels of an outline with their depth; alpha rises to 1 over soft_px from the edge."""
    rows, cols = pixels_of(outline, extent)
    if not rows.size:
        nothing = np.zeros(0)
        return Cover(rows, cols, nothing, nothing, nothing)
    top, left = rows.min() - 1, cols.min() - 1
    mask = np.zeros((rows.max() - top + 2, cols.max() - left + 2), bool)
    mask[rows - top, cols - left] = True
    depth = distance_transform_edt(mask)[rows - top, cols - left]
    return Cover(rows, cols, depth, depth, np.clip(depth / soft_px, 0, 1))


def blob(
    centre: tuple[float, float],
    radii_px: tuple[float, float],
    roughness: float,
    rng: np.random.Generator,
) -> Polygon:
    """A rounded, irregular outline in (col, row) round a (row, col) centre."""
    turn = np.linspace(0, 2 * np.pi, 240, endpoint=False)
    waves = np.arange(2, 14)
    phases = rng.uniform(0, 2 * np.pi, len(waves))
    strengths = roughness * rng.uniform(0.4, 1.0, len(waves)) / waves
    radius = 1 + (strengths * np.cos(np.outer(turn, waves) + phases)).sum(axis=1)
    rows = centre[0] + radii_px[0] * radius * np.sin(turn)
    cols = centre[1] + radii_px[1] * radius * np.cos(turn)
    return Polygon(np.stack([cols, rows], axis=1))


def ribbon(path: Points, half_width_px: float) -> Polygon:
    """The outline of a path drawn with a flat-ended pen, in (col, row)."""
    band = LineString(path[:, ::-1]).buffer(half_width_px, cap_style="flat")
    if not isinstance(band, Polygon):
        raise ValueError("a ribbon's path must not cross itself")
    return Polygon(band.exterior)


def densify(path: Points, step_px: float) -> Points:
    """The same path with a point every step_px."""
    lengths = np.hypot(*np.diff(path, axis=0).T)
    travelled = np.concatenate([[0.0], np.cumsum(lengths)])
    stops = np.arange(0.0, travelled[-1], step_px)
    return np.stack([np.interp(stops, travelled, path[:, axis]) for axis in (0, 1)], axis=1)
