"""Areas and lengths on the ellipsoid, whatever the CRS, at the poles and at 180 degrees too.

An edge is straight in the CRS, as it is on the map. Its points are moved to the sphere of the same
areas, where a ring is the sum of the triangles between its first point and its edges, by their
spherical excess (Eriksson 1990, doi 10.2307/2691141). No longitude takes part in that, so neither
180 degrees nor a pole is special. Lengths are those of chords through the ellipsoid.

Both are taken twice, the second time with every edge cut in half, and extrapolated to edges without
end (Richardson 1911, doi 10.1098/rsta.1911.0009). Where the two differ too much, edges are cut on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import pi, radians

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.grid.crs import equator_m, geographic_of, metres_of, radians_of, to_geographic
from geochange.grid.ellipsoid import Ellipsoid, Floats
from geochange.grid.grid import Grid
from geochange.grid.polygon_parts import polygonal_part
from geochange.vector.tracing.polygons import Geometries

Ints = NDArray[np.int64]

CHUNK = 8192
"""Polygons measured at once, copies and all."""

TOLERANCE = 1e-4
"""How much the last cut may change an area or a length, as a share of it. What is left after the
extrapolation is far less."""

MOST_CUTS = 64
"""An edge is cut into so many at most."""

MAX_EDGE_RAD = radians(2)
"""Edges are cut to this length, in radians along the equator, before anything is measured: the two
ends of one may not lie at the same place round the Earth."""

MAX_WIDTH_RAD = radians(15)
"""Wider polygons are measured piece by piece: the triangles of a ring that goes half round the Earth
mean nothing."""


def geodesic_measures(polygons: Geometries, grid: Grid) -> tuple[Floats, Floats]:
    """(area_m2, perimeter_m) of Polygons and MultiPolygons in pixel coordinates of `grid`.

    Holes count towards the perimeter and not towards the area. Corners that are no place on the
    Earth, beyond the rim of a map, are left out.
    """
    ruler = GeodesicRuler.of(grid)
    chunks = (polygons[start : start + CHUNK] for start in range(0, len(polygons), CHUNK))
    area_m2, perimeter_m = np.hstack([np.empty((2, 0)), *map(ruler.measure, chunks)])
    return area_m2, perimeter_m


def pixel_m2(grid: Grid) -> float:
    """Square metres of the pixel in the middle of a grid."""
    row, col = grid.shape[0] // 2, grid.shape[1] // 2
    pixel = np.array([shapely.box(col, row, col + 1, row + 1)], dtype=np.object_)
    return float(geodesic_measures(pixel, grid)[0][0])


@dataclass(frozen=True)
class GeodesicRuler:
    """Measures polygons in the pixels of a grid. radian_px: a radian along the equator, in pixels."""

    grid: Grid
    ellipsoid: Ellipsoid
    radian_px: float

    @classmethod
    def of(cls, grid: Grid) -> GeodesicRuler:
        """The ruler of a grid."""
        a, b, _, d, e, _ = grid.transform[:6]
        pixel = float(np.linalg.norm([[a, b], [d, e]], 2)) * metres_of(grid.crs)
        return cls(grid, Ellipsoid.of(grid.crs), equator_m(grid.crs) / pixel)

    def measure(self, polygons: Geometries) -> Floats:
        """(2, polygon) square metres and metres."""
        polygons = shapely.segmentize(polygons, MAX_EDGE_RAD * self.radian_px)
        measured = self._refined(polygons)
        left, top, right, bottom = shapely.bounds(polygons).T
        wide = np.maximum(right - left, bottom - top) > MAX_WIDTH_RAD * self.radian_px
        for number in np.flatnonzero(wide):
            pieces = np.array(list(_pieces(polygons[number], MAX_WIDTH_RAD * self.radian_px)))
            measured[0, number] = self._refined(pieces)[0].sum()
        return measured

    def _refined(self, polygons: Geometries) -> Floats:
        """Measures of polygons whose edges are cut until it makes no difference."""
        measured = np.zeros((2, len(polygons)))
        bent, cuts = np.flatnonzero(~shapely.is_empty(polygons)), 2
        while len(bent) and cuts <= MOST_CUTS:
            fine, coarse = self._twice(Rings.of(polygons[bent]), cuts)
            measured[:, bent] = fine + (fine - coarse) / 3
            bent = bent[(np.abs(fine - coarse) > TOLERANCE * fine).any(axis=0)]
            cuts *= 2
        return measured

    def _twice(self, rings: Rings, cuts: int) -> tuple[Floats, Floats]:
        """(2, polygon) measures by edges cut into so many parts, and into half as many."""
        directions, positions_m = self._in_space(rings.points(cuts))
        counts = rings.edges * cuts
        fine = self._sums(rings, directions, positions_m, counts)
        return fine, self._sums(rings, directions[:, ::2], positions_m[:, ::2], counts // 2)

    def _in_space(self, pixels: Floats) -> tuple[Floats, Floats]:
        """(3, point) directions on the sphere of the same areas, and metres from the Earth's middle."""
        crs = self.grid.crs
        x, y = self.grid.transform @ tuple(pixels.T)
        if crs.is_geographic:
            # Pixels that stand on a pole go half a pixel beyond it.
            pole = pi / 2 / radians_of(crs)
            y = y.clip(-pole, pole)
        lonlat = np.array(to_geographic(crs).transform(x, y)) * radians_of(geographic_of(crs))
        lon, lat = np.where(np.isfinite(lonlat).all(axis=0), lonlat, np.nan)
        return self.ellipsoid.directions(lon, lat), self.ellipsoid.positions_m(lon, lat)

    def _sums(self, rings: Rings, directions: Floats, positions_m: Floats, counts: Ints) -> Floats:
        known = ~np.isnan(directions[0])
        if not known.all():
            counts = np.add.reduceat(known, np.cumsum(counts) - counts, dtype=np.int64)
            directions, positions_m = directions[:, known], positions_m[:, known]
        there = counts > 0
        excess, length_m = _ring_sums(directions, positions_m, counts[there])
        area_m2 = excess * rings.signs[there] * self.ellipsoid.authalic_m**2
        owners = rings.owners[there]
        return np.array([np.bincount(owners, each, rings.polygons) for each in (area_m2, length_m)])


@dataclass(frozen=True)
class Rings:
    """The rings of polygons, not all of them empty, by their edges.

    starts, ways: (edge, 2) where each edge starts and its way, in pixels. edges: how many each ring
    has. owners: its polygon, of so many polygons. signs: 1 for an outer ring, -1 for a hole.
    """

    starts: Floats
    ways: Floats
    edges: Ints
    owners: Ints
    signs: Ints
    polygons: int

    @classmethod
    def of(cls, polygons: Geometries) -> Rings:
        """The rings of polygons."""
        parts, owners = shapely.get_parts(polygons, return_index=True)
        there = ~shapely.is_empty(parts)
        parts, owners = parts[there], owners[there]
        _, points, (stops, offsets) = shapely.to_ragged_array(parts)
        last = np.zeros(len(points), np.bool_)
        last[stops[1:] - 1] = True
        rings = np.diff(offsets)
        signs = np.full(len(stops) - 1, -1)
        signs[offsets[:-1]] = 1
        return cls(
            starts=points[~last],
            ways=np.diff(points, axis=0)[~last[:-1]],
            edges=np.diff(stops) - 1,
            owners=np.repeat(owners, rings),
            signs=signs,
            polygons=len(polygons),
        )

    def points(self, cuts: int) -> Floats:
        """(point, 2): edges cut into so many parts, each ring without its last point."""
        shares = np.arange(cuts) / cuts
        return (self.starts[:, None] + self.ways[:, None] * shares[:, None]).reshape(-1, 2)


def _ring_sums(directions: Floats, positions_m: Floats, counts: Ints) -> tuple[Floats, Floats]:
    """(spherical excess, length) of rings of so many points, one ring after the other."""
    if len(counts) == 0:
        return np.empty(0), np.empty(0)
    firsts = np.cumsum(counts) - counts
    following = np.arange(1, len(directions.T) + 1)
    following[firsts + counts - 1] = firsts
    chords = positions_m[:, following] - positions_m
    length_m = np.sqrt(_dot(chords, chords))
    # Triangles with the first point of each ring, seen from there: else digits would cancel out.
    apex = np.repeat(directions[:, firsts], counts, axis=1)
    one = directions - apex
    other = one[:, following]
    edge = other - one
    volume = _dot(apex, _cross(one, other))
    spread = 4 - (_dot(one, one) + _dot(other, other) + _dot(edge, edge)) / 2
    excess = 2 * np.arctan2(volume, spread)
    return np.abs(np.add.reduceat(excess, firsts)), np.add.reduceat(length_m, firsts)


def _dot(one: Floats, other: Floats) -> Floats:
    return np.asarray(np.einsum("ij,ij->j", one, other))


def _cross(one: Floats, other: Floats) -> Floats:
    (a, b, c), (x, y, z) = one, other
    return np.stack([b * z - c * y, c * x - a * z, a * y - b * x])


def _pieces(polygon: shapely.Geometry, widest: float) -> Iterator[shapely.Geometry]:
    """A polygon in pieces none of which is wider or higher, cut along x and y."""
    if polygon.is_empty:
        return
    left, top, right, bottom = polygon.bounds
    if max(right - left, bottom - top) <= widest:
        yield polygon
        return
    if right - left >= bottom - top:
        middle = (left + right) / 2
        halves = (left, top, middle, bottom), (middle, top, right, bottom)
    else:
        middle = (top + bottom) / 2
        halves = (left, top, right, middle), (left, middle, right, bottom)
    for half in halves:
        yield from _pieces(
            polygonal_part(shapely.intersection(polygon, shapely.box(*half))), widest
        )
