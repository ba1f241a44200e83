"""Orthogonal outlines: buildings with straight walls and right angles.

The outline is rotated so that its walls run along the axes. Each run of edges in one direction
becomes one line through their middles; corners are the intersections of these lines. The result
stays near the original; otherwise the original is kept: a pond has no walls.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.vector.tracing.polygons import Geometries

Points = NDArray[np.float64]

REACH_PX = 2.0
"""The largest distance between the new outline and the original, in both directions."""

STEP_PX = 1.0
"""Steps along a wall that are shorter are stairs of pixels; longer steps are corners."""

MIN_ALIGNMENT = 0.5
"""The least alignment of edges: 1 where all run along two axes, 0 for a circle."""

AREA_SHARE = 0.2
"""The largest change of an outline's area."""

MOST_POINTS = 1000
"""Outlines with more points are no buildings."""


def orthogonalize(outlines: Geometries, metric: NDArray[np.float64]) -> tuple[Geometries, Marks]:
    """Outlines with right angles on the ground, and which they are; the others are unchanged.

    outlines: Polygons in pixels. metric: (2, 2), from (x, y) in pixels to lengths on the ground of
    about the size of a pixel. New outlines are valid, of about the same area, and nowhere further
    than REACH_PX from the original.
    """
    drawn = outlines.copy()
    changed = np.zeros(len(outlines), np.bool_)
    for i, outline in enumerate(outlines):
        found = _orthogonalize_one(outline, metric)
        if found is not None:
            drawn[i], changed[i] = found, True
    return drawn, changed


Marks = NDArray[np.bool_]


def _orthogonalize_one(
    outline: shapely.Polygon, metric: NDArray[np.float64]
) -> shapely.Polygon | None:
    if shapely.get_num_coordinates(outline) > MOST_POINTS:
        return None
    ground = shapely.transform(outline, lambda xy: xy @ metric.T)
    angle = _wall_angle(ground)
    if angle is None:
        return None
    shell, *holes = (_ring(ring, angle) for ring in (ground.exterior, *ground.interiors))
    if shell is None:
        return None
    kept = [
        np.asarray(old.coords) if new is None else new
        for new, old in zip(holes, ground.interiors, strict=True)
    ]
    drawn = shapely.Polygon(shell, kept)
    if not _is_near(ground, drawn):
        return None
    back = np.linalg.inv(metric)
    pixels = shapely.transform(drawn, lambda xy: xy @ back.T)
    return pixels if pixels.is_valid else None


def _is_near(outline: shapely.Polygon, drawn: shapely.Polygon) -> bool:
    if not drawn.is_valid or abs(drawn.area - outline.area) > AREA_SHARE * outline.area:
        return False
    return bool(shapely.hausdorff_distance(outline, drawn, densify=0.1) <= REACH_PX)


def _edges(ring: shapely.LinearRing) -> tuple[Points, Points]:
    """The corners of a ring without the stairs of pixels, and the edges between them."""
    plain = shapely.simplify(shapely.Polygon(ring), STEP_PX, preserve_topology=True)
    points = shapely.get_coordinates(plain)
    return points[:-1], np.diff(points, axis=0)


def _wall_angle(outline: shapely.Polygon) -> float | None:
    """The angle of the walls against the axes, in radians; None where edges run in all directions.

    Angles are multiplied by four, so that walls at right angles have one direction.
    """
    _, edges = _edges(outline.exterior)
    length = np.hypot(*edges.T)
    turn = np.exp(4j * np.arctan2(edges[:, 1], edges[:, 0]))
    # Weighted by squared length: one long wall is better evidence than many short ones.
    angle = float(np.angle((length**2 * turn).sum())) / 4
    aligned = float((length * (turn * np.exp(-4j * angle)).real).sum() / length.sum())
    return angle if aligned >= MIN_ALIGNMENT else None


@dataclass
class _Wall:
    """Edges that run along one axis: their position on the other (`at`), and their extent (`run`)."""

    at: float
    length: float
    run: float

    def join(self, other: _Wall) -> _Wall:
        length = self.length + other.length
        at = (self.at * self.length + other.at * other.length) / length
        return _Wall(at, length, self.run + other.run)


def _ring(ring: shapely.LinearRing, angle: float) -> Points | None:
    """The ring, not closed, with walls along the rotated axes; None if there are fewer than four."""
    points, edges = _edges(ring)
    cos, sin = np.cos(angle), np.sin(angle)
    turn = np.array([[cos, -sin], [sin, cos]])
    points, edges = points @ turn, edges @ turn
    level = np.abs(edges[:, 0]) >= np.abs(edges[:, 1])
    starts = np.flatnonzero(level != np.roll(level, 1))
    if len(starts) < 4:
        return None
    walls, first_level = _walls(points, edges, level, int(starts[0]))
    walls = _without_steps(walls)
    at = np.array([wall.at for wall in walls])
    one, other = at, np.roll(at, -1)  # each wall with the next one
    is_level = (np.arange(len(at)) % 2 == 0) == first_level
    corners = np.where(is_level[:, None], np.stack([other, one], 1), np.stack([one, other], 1))
    return np.asarray(corners @ turn.T)


def _walls(
    points: Points, edges: Points, level: NDArray[np.bool_], first: int
) -> tuple[list[_Wall], bool]:
    """The walls of a ring, from an edge that starts one, and whether the first is level."""
    walls: list[_Wall] = []
    order = np.roll(np.arange(len(edges)), -first)
    for i, before in zip(order, np.roll(order, 1), strict=True):
        across, along = (1, 0) if level[i] else (0, 1)
        middle = float(points[i, across] + edges[i, across] / 2)
        wall = _Wall(middle, float(abs(edges[i, along])), float(edges[i, along]))
        if walls and level[i] == level[before]:
            walls[-1] = walls[-1].join(wall)
        else:
            walls.append(wall)
    return walls, bool(level[first])


def _without_steps(walls: list[_Wall]) -> list[_Wall]:
    """Remove walls that are too short and merge their neighbours; at least four are left."""
    while len(walls) > 4:
        i = min(range(len(walls)), key=lambda each: abs(walls[each].run))
        if abs(walls[i].run) >= STEP_PX:
            break
        # Rotated by an even number, so that the first wall keeps its direction.
        by = (i - 1) // 2 * 2 if i else len(walls) - 2
        walls = walls[by:] + walls[:by]
        i = (i - by) % len(walls)
        walls[i - 1 : i + 2] = [walls[i - 1].join(walls[i + 1])]
    return walls
