"""Parcels: farmland cut into fields with straight sides, and which field each pixel is in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from shapely import LineString, Polygon, box
from shapely.affinity import rotate
from shapely.ops import split

from geochange.landscape.plan.plan_objects import Plan
from geochange.landscape.render.noise import Floats
from geochange.landscape.shapes import pixels_of

FIELD_PX2 = 52_000
LAY_OF_THE_LAND_DEG = 11


@dataclass(frozen=True, slots=True)
class Parcels:
    """label: (row, col) which field; edge_px: (row, col) distance to its border.

    along_rad: (field,) the direction of each field's longer side; outlines: the uncut fields.
    """

    label: NDArray[np.int32]
    edge_px: Floats
    along_rad: Floats
    outlines: tuple[Polygon, ...]


def divide_into_fields(plan: Plan) -> Parcels:
    """Cut the land into fields, then part them where a road or a river runs through."""
    rng = plan.stream(1)
    size_px = plan.size_px
    land = rotate(
        box(-0.2 * size_px, -0.2 * size_px, 1.2 * size_px, 1.2 * size_px), LAY_OF_THE_LAND_DEG
    )
    outlines = tuple(cut_field(land, rng))
    label = np.zeros((size_px, size_px), np.int32)
    for number, outline in enumerate(outlines):
        label[pixels_of(outline, label.shape)] = number
    label = label * 4 + side_of_lines(plan)
    along = np.repeat([long_side_rad(outline) for outline in outlines], 4)
    return Parcels(label, border_distance(label), along.astype(np.float32), outlines)


def cut_field(land: Polygon, rng: np.random.Generator) -> list[Polygon]:
    """Halve a polygon across its longer side until the pieces are fields."""
    if land.area < FIELD_PX2 * rng.uniform(0.7, 1.7):
        return [land]
    angle_rad = long_side_rad(land) + np.pi / 2 + rng.uniform(-0.05, 0.05)
    centre, share = land.centroid, rng.uniform(-0.12, 0.12)
    reach = np.sqrt(land.area)
    x = centre.x + share * reach * np.sin(angle_rad)
    y = centre.y - share * reach * np.cos(angle_rad)
    ray = 4 * reach * np.array([np.cos(angle_rad), np.sin(angle_rad)])
    pieces = split(land, LineString([(x - ray[0], y - ray[1]), (x + ray[0], y + ray[1])])).geoms
    return [
        field for piece in pieces if isinstance(piece, Polygon) for field in cut_field(piece, rng)
    ]


def long_side_rad(outline: Polygon) -> float:
    """The angle of the longer side of the tightest rectangle, from the col axis to the row axis."""
    corners = np.asarray(outline.minimum_rotated_rectangle.exterior.coords)
    sides = np.diff(corners[:3], axis=0)
    longer = sides[np.hypot(*sides.T).argmax()]
    return float(np.arctan2(longer[1], longer[0]))


def side_of_lines(plan: Plan) -> NDArray[np.int32]:
    """(row, col) 0 .. 3: above or below the main roads, left or right of the rivers."""
    steps = np.arange(plan.size_px)
    below = np.zeros((plan.size_px, plan.size_px), np.int32)
    beyond = np.zeros_like(below)
    for road in plan.roads:
        if road.marked:
            below += steps[:, None] > np.interp(steps, road.path[:, 1], road.path[:, 0])[None, :]
    for path in plan.rivers:
        beyond += steps[None, :] > np.interp(steps, path[:, 0], path[:, 1])[:, None]
    return 2 * (below % 2) + beyond % 2


def border_distance(label: NDArray[np.int32]) -> Floats:
    """(row, col) distance in px to the nearest pixel of another field."""
    inner = np.ones(label.shape, bool)
    inner[:, 1:] &= label[:, 1:] == label[:, :-1]
    inner[1:] &= label[1:] == label[:-1]
    return np.asarray(distance_transform_edt(inner), dtype=np.float32)
