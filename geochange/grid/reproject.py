"""Geometry moved from one CRS to another: point by point, or as areas that stay whole.

Longitudes jump by a turn somewhere, and a pole is a line in them. An area over the jump stays in
one piece here, with longitudes that go on beyond it, and one round a pole goes up to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geochange.grid.crs import (
    Span,
    full_turn,
    geographic_of,
    is_derived,
    radians_of,
    same_crs,
    transformer,
    turns_over,
)

G = TypeVar("G", bound=shapely.Geometry)
Floats = NDArray[np.float64]
Geometries = NDArray[np.object_]

POLYGON = 3
"""GEOS's number of the type."""

HAIR = 1e-9
"""As a share of a turn: what lies so near to a place lies at it."""

NEAR_POLE_DEG = 89.9
"""The end of the world in a CRS that holds no pole, such as Mercator."""


def reproject(geometry: G, source: CRS, target: CRS) -> G:
    """Move geometry from one CRS to another; points without an image become infinite."""
    if same_crs(source, target):
        return geometry
    move = transformer(source, target).transform
    moved: G = shapely.transform(geometry, move, interleaved=False)
    return moved


def areal(geometry: shapely.Geometry) -> shapely.Geometry:
    """A geometry without the points and lines in it that have no area."""
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    parts = shapely.get_parts(geometry)
    parts = shapely.get_parts(parts)  # a collection may hold a MultiPolygon
    return shapely.multipolygons(parts[shapely.get_type_id(parts) == POLYGON])


def reproject_areas(areas: Geometries, source: CRS, target: CRS) -> Geometries:
    """Polygons and MultiPolygons in another CRS, each in one piece wherever longitudes jump.

    Edges are as good as their points are close. What has no image there has infinite points.
    """
    if same_crs(source, target):
        return areas
    turn = full_turn(target)
    moved = np.asarray(reproject(_on_the_globe(areas, source), source, target), dtype=np.object_)
    if turn is None:
        return moved
    torn = np.flatnonzero(_jumps(moved, turn / 2))
    if len(torn):
        moved = moved.copy()
        mend = _Mender(source, target, turn)
        for number in torn:
            moved[number] = mend.area(areas[number], moved[number])
    return moved


def _on_the_globe(areas: Geometries, crs: CRS) -> Geometries:
    """Without the half pixel by which some rasters of the world go beyond the poles."""
    if not crs.is_geographic:
        return areas
    pole = np.pi / 2 / radians_of(crs)
    high = shapely.bounds(areas)[:, [1, 3]]
    if not (np.abs(high) > pole).any():
        return areas
    return np.asarray(
        shapely.transform(
            areas, lambda xy: np.column_stack([xy[:, 0], xy[:, 1].clip(-pole, pole)])
        ),
        dtype=np.object_,
    )


def _jumps(areas: Geometries, far: float) -> NDArray[np.bool_]:
    """Which have neighbouring points, or rings, so far apart along x."""
    points, owners = shapely.get_coordinates(areas, return_index=True)
    steps = np.abs(np.diff(points[:, 0])) > far
    torn = np.zeros(len(areas), np.bool_)
    torn[owners[:-1][steps & (owners[:-1] == owners[1:])]] = True
    return torn


class _Mender:
    """Puts areas together again whose image is torn by the jump of longitudes, or by a pole."""

    def __init__(self, source: CRS, target: CRS, turn: float) -> None:
        self.turn = turn
        self.tells_meridian = full_turn(source) is not None and not is_derived(source)
        geographic = geographic_of(target)
        pole = np.pi / 2 / radians_of(geographic)
        zero, poles = np.zeros(2), np.array([-pole, pole])
        back = transformer(geographic, source)
        self.poles = shapely.points(*back.transform(zero, poles))
        there = transformer(geographic, target)
        ends = there.transform(zero, poles)[1]
        near = there.transform(zero, poles * NEAR_POLE_DEG / 90)[1]
        self.ends = np.where(np.isfinite(ends), ends, near)

    def area(self, area: shapely.Geometry, torn: shapely.Geometry) -> shapely.Geometry:
        """The image of an area. torn: the same, moved point by point."""
        if not np.isfinite(shapely.get_coordinates(torn)).all():
            return torn
        parts = zip(shapely.get_parts(area), shapely.get_parts(torn), strict=True)
        return areal(shapely.union_all([self._polygon(*part) for part in parts]))

    def _polygon(self, polygon: shapely.Polygon, torn: shapely.Polygon) -> shapely.Geometry:
        rings = zip(shapely.get_rings(polygon), shapely.get_rings(torn), strict=True)
        shell, *holes = (self._inside(*ring) for ring in rings)
        for hole in holes:
            west, _, east, _ = shell.bounds
            for moved in turned(hole, self.turn, (west, east)):
                shell = shapely.difference(shell, moved)
        return areal(shell)

    def _inside(self, ring: shapely.LinearRing, torn: shapely.LinearRing) -> shapely.Geometry:
        """What a ring holds, its x going on where it jumped, up to the pole that it goes round."""
        x, y = self._through_poles(*shapely.get_coordinates(torn)[:-1].T)
        steps = np.diff(x, append=x[0])
        steps -= self.turn * np.round(steps / self.turn)
        way = np.concatenate([x[:1], x[0] + np.cumsum(steps)])
        points = np.column_stack([way, np.append(y, y[0])])
        if abs(way[-1] - way[0]) > self.turn / 2:
            end = self._pole_in(ring, y)
            points = np.vstack([points, [(way[-1], end), (way[0], end)]])
        return areal(shapely.make_valid(shapely.Polygon(points)))

    def _through_poles(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """A pole in a ring is reached on the x of the point before and left on that of the next."""
        low, high = self.ends
        at_pole = np.minimum(np.abs(y - low), np.abs(y - high)) <= HAIR * self.turn
        if self.tells_meridian or at_pole.all() or not at_pole.any():
            return x, y
        start = int(np.argmin(at_pole))
        x, y, at_pole = (np.roll(each, -start) for each in (x, y, at_pole))
        away = np.flatnonzero(np.logical_not(at_pole))
        before = np.searchsorted(away, np.arange(len(x)), side="right") - 1
        reached, left = x[away[before]], x[away[(before + 1) % len(away)]]
        twice = np.repeat(np.arange(len(x)), 1 + at_pole.astype(np.intp))
        second = np.diff(twice, prepend=-1) == 0
        along = np.where(second, left[twice], np.where(at_pole[twice], reached[twice], x[twice]))
        return along, y[twice]

    def _pole_in(self, ring: shapely.LinearRing, y: Floats) -> float:
        """The y of the pole that a ring of the source goes round."""
        inside = shapely.intersects(shapely.make_valid(shapely.Polygon(ring)), self.poles)
        north = inside[1] if inside[0] != inside[1] else y.mean() > self.ends.mean()
        return float(self.ends[int(north)])


def turned(area: shapely.Geometry, turn: float, span: Span) -> Iterator[shapely.Geometry]:
    """An area moved by whole turns: every such copy that has a part in a span of x."""
    west, _, east, _ = shapely.bounds(area)
    if np.isfinite([west, east]).all():
        for turns in turns_over(span, (west, east), turn, HAIR * turn):
            yield _moved_along(np.array([area]), np.array([turns * turn]))[0]


def brought(areas: Geometries, turn: float | None, span: Span) -> Geometries:
    """Areas moved by whole turns to where they lie in a span of x, if there is such a turn.

    One that has parts there after several turns is all of these together.
    """
    bounds = shapely.bounds(areas).reshape(-1, 4)
    known = np.isfinite(bounds).all(axis=1)
    if turn is None or not known.any():
        return areas
    west, east = np.where(known, bounds[:, 0], 0.0), np.where(known, bounds[:, 2], 0.0)
    hair = HAIR * turn
    first = np.ceil((span[0] + hair - east) / turn)
    last = np.floor((span[1] - hair - west) / turn)
    moved = _moved_along(areas, np.where(known & (first == last), first, 0) * turn)
    for number in np.flatnonzero(known & (first < last)):
        parts = shapely.get_parts(areas[number])
        copies = [copy for part in parts for copy in turned(part, turn, span)]
        moved[number] = areal(shapely.union_all(copies))
    return moved


def _moved_along(areas: Geometries, x: Floats) -> Geometries:
    """Copies of areas, each moved along x by its own length."""
    moved, chosen = areas.copy(), np.flatnonzero(x)
    points, owners = shapely.get_coordinates(areas[chosen], return_index=True)
    points[:, 0] += x[chosen][owners]
    # The array given is the one that is changed.
    moved[chosen] = shapely.set_coordinates(areas[chosen], points)
    return moved
