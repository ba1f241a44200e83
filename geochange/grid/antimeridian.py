"""Repairs areas whose image is torn at the antimeridian, or by a pole."""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geochange.grid.crs import full_turn, geographic_of, is_derived, radians_of, transformer
from geochange.grid.longitude_wrap import TURN_TOLERANCE
from geochange.grid.polygon_parts import polygonal_part

Floats = NDArray[np.float64]

NEAR_POLE_DEG = 89.9
"""The end of the world in a CRS that holds no pole, such as Mercator."""


class AntimeridianRepair:
    """Images of areas in one piece, their x going on where it jumped. turn: that of the target."""

    def __init__(self, source: CRS, target: CRS, turn: float) -> None:
        self.turn = turn
        self.tells_meridian = full_turn(source) is not None and not is_derived(source)
        geographic = geographic_of(target)
        pole = np.pi / 2 / radians_of(geographic)
        zero, poles = np.zeros(2), np.array([-pole, pole])
        self.poles = np.column_stack(transformer(geographic, source).transform(zero, poles))
        there = transformer(geographic, target)
        ends = np.asarray(there.transform(zero, poles)[1])
        near = np.asarray(there.transform(zero, poles * NEAR_POLE_DEG / 90)[1])
        self.ends = np.where(np.isfinite(ends), ends, near)

    def area(self, area: shapely.Geometry, torn: shapely.Geometry) -> shapely.Geometry:
        """The image of an area. torn: the same, moved point by point."""
        if not np.isfinite(shapely.get_coordinates(torn)).all():
            return torn
        parts = zip(shapely.get_parts(area), shapely.get_parts(torn), strict=True)
        return polygonal_part(shapely.union_all([self._polygon(*part) for part in parts]))

    def at_pole(self, y: Floats) -> NDArray[np.bool_]:
        """Which points lie at a pole and have lost their longitude there."""
        if self.tells_meridian:
            return np.zeros(len(y), np.bool_)
        low, high = self.ends
        return np.asarray(
            np.minimum(np.abs(y - low), np.abs(y - high)) <= TURN_TOLERANCE * self.turn
        )

    def _polygon(self, polygon: shapely.Polygon, torn: shapely.Polygon) -> shapely.Geometry:
        rings = zip(shapely.get_rings(polygon), shapely.get_rings(torn), strict=True)
        shell, *holes = (self._inside(*ring) for ring in rings)
        west, _, east, _ = shell.bounds
        for hole in holes:
            # A ring may be told a turn away from the one around it.
            least, _, most, _ = hole.bounds
            first, last = np.ceil((west - most) / self.turn), np.floor((east - least) / self.turn)
            for turns in np.arange(first, last + 1):
                shift = np.array([turns * self.turn, 0])
                shell = shapely.difference(shell, shapely.transform(hole, lambda p, s=shift: p + s))
        return polygonal_part(shell)

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
        return polygonal_part(shapely.make_valid(shapely.Polygon(points)))

    def _through_poles(self, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """A pole in a ring is reached on the x of the point before and left on that of the next."""
        at_pole = self.at_pole(y)
        if at_pole.all() or not at_pole.any():
            return x, y
        start = int(np.argmin(at_pole))
        x, y, at_pole = np.roll(x, -start), np.roll(y, -start), np.roll(at_pole, -start)
        away = np.flatnonzero(np.logical_not(at_pole))
        before = np.searchsorted(away, np.arange(len(x)), side="right") - 1
        reached, left = x[away[before]], x[away[(before + 1) % len(away)]]
        twice = np.repeat(np.arange(len(x)), 1 + at_pole.astype(np.intp))
        second = np.diff(twice, prepend=-1) == 0
        along = np.where(second, left[twice], np.where(at_pole[twice], reached[twice], x[twice]))
        return along, y[twice]

    def _pole_in(self, ring: shapely.LinearRing, y: Floats) -> float:
        """The y of the pole that a ring of the source goes round."""
        disc = shapely.make_valid(shapely.Polygon(ring))
        inside = [
            bool(np.isfinite(p).all() and shapely.intersects_xy(disc, *p)) for p in self.poles
        ]
        north = inside[1] if inside[0] != inside[1] else y.mean() > self.ends.mean()
        return float(self.ends[int(north)])
