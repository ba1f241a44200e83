"""Groves: where trees grow together, each as (N, 4) of (row, col, crown radius, needle)."""

from __future__ import annotations

import numpy as np
import shapely
from shapely import Polygon

from geochange.landscape.plan.countryside import RIVER_HALF_PX
from geochange.landscape.plan.plan_objects import Plan
from geochange.landscape.shapes import Points, densify

PITCH_PX = 9.0


def stack_spots(
    rows: Points, cols: Points, radius_px: Points, needle: Points | float = 0.0
) -> Points:
    """(N, 4) of (row, col, radius, needle)."""
    return np.stack(np.broadcast_arrays(rows, cols, radius_px, needle), axis=1).astype(float)


def forest(outline: Polygon, rng: np.random.Generator) -> Points:
    """Trees on a shaken grid, conifers in stands of their own."""
    left, top, right, bottom = outline.bounds
    rows, cols = np.meshgrid(np.arange(top, bottom, PITCH_PX), np.arange(left, right, PITCH_PX))
    rows = rows.ravel() + rng.uniform(-0.48, 0.48, rows.size) * PITCH_PX
    cols = cols.ravel() + rng.uniform(-0.48, 0.48, cols.size) * PITCH_PX
    inside = shapely.contains_xy(outline, cols, rows)
    rows, cols = rows[inside], cols[inside]
    sway = rng.uniform(0, 6, 2)
    stand = np.sin(rows / 70 + sway[0] + np.sin(cols / 45)) + np.sin(cols / 95 + sway[1])
    needle = stand + rng.normal(0, 0.15, len(rows)) > 0.75
    radius_px = np.where(needle, rng.uniform(3.6, 6, len(rows)), rng.gamma(14, 0.5, len(rows)))
    return stack_spots(rows, cols, np.clip(radius_px, 3.5, 12), needle)


def trees_along(path: Points, rng: np.random.Generator) -> Points:
    """Trees and bushes on both banks of a river, in loose groups."""
    track = densify(path, 6.0)
    group = np.sin(np.arange(len(track)) / 9 + rng.uniform(0, 6))
    track = track[group + rng.normal(0, 0.5, len(track)) > 0]
    side = rng.choice([-1, 1], len(track)) * (RIVER_HALF_PX + rng.uniform(6, 15, len(track)))
    return stack_spots(
        track[:, 0] + rng.normal(0, 3, len(track)),
        track[:, 1] + side,
        rng.uniform(3, 9, len(track)),
    )


def trees_around(outline: Polygon, rng: np.random.Generator) -> Points:
    """A few trees round a pond, well off the water."""
    ring = np.asarray(outline.buffer(18).exterior.coords)
    ring = ring[rng.random(len(ring)) < 0.11]
    return stack_spots(ring[:, 1], ring[:, 0], rng.uniform(4, 9, len(ring)))


def hedgerow(outline: Polygon, rng: np.random.Generator) -> Points:
    """Bushes and a few trees along one side of a field."""
    corners = np.asarray(outline.exterior.coords)[:, ::-1]
    side = rng.integers(len(corners) - 1)
    track = densify(corners[side : side + 2], 4.5)
    track = track[rng.random(len(track)) < 0.86]
    radius_px = np.where(
        rng.random(len(track)) < 0.1,
        rng.uniform(6, 9.5, len(track)),
        rng.uniform(2.4, 4.6, len(track)),
    )
    shake = rng.normal(0, 0.8, track.shape)
    return stack_spots(track[:, 0] + shake[:, 0], track[:, 1] + shake[:, 1], radius_px)


def garden(outline: Polygon, rng: np.random.Generator) -> Points:
    """One to five small trees and bushes near the edge of a plot."""
    count = rng.integers(1, 6)
    ring = outline.buffer(-6).exterior
    at = [ring.interpolate(share, normalized=True) for share in rng.random(count)]
    places = np.array([(point.y, point.x) for point in at])
    return stack_spots(
        places[:, 0], places[:, 1], rng.uniform(2.5, 7, count), np.floor(rng.random(count) + 0.15)
    )


def lone_trees(plan: Plan, rng: np.random.Generator) -> Points:
    """Single trees in the open land, about one to every hectare."""
    count = int(plan.size_px**2 / 50_000)
    places = rng.uniform(0, plan.size_px, (2, count))
    return stack_spots(places[0], places[1], rng.uniform(4, 10, count))
