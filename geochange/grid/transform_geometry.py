"""Geometry moved from one CRS to another: point by point, or as areas that stay whole.

Longitudes jump by a turn somewhere, and a pole is a line in them. An area over the jump stays in
one piece here, with longitudes that go on beyond it, and one round a pole goes up to it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import shapely
from numpy.typing import NDArray
from pyproj import CRS

from geochange.grid.antimeridian import AntimeridianRepair
from geochange.grid.crs import full_turn, radians_of, same_crs, transformer
from geochange.grid.polygon_parts import polygonal_part

G = TypeVar("G", bound=shapely.Geometry)
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Geometries = NDArray[np.object_]
MAX_HALVINGS = 16
"""An edge is cut in half so often at most."""

MAX_STEP_TURNS = 1 / 8
"""Of a turn, how far neighbouring points may lie apart for it to be known on which side."""


def reproject(geometry: G, source: CRS, target: CRS) -> G:
    """Move geometry from one CRS to another; points without an image become infinite."""
    if same_crs(source, target):
        return geometry
    move = transformer(source, target).transform
    moved: G = shapely.transform(geometry, move, interleaved=False)
    return moved


def reproject_areas(
    areas: Geometries, source: CRS, target: CRS, tolerance: float = np.inf
) -> Geometries:
    """Polygons and MultiPolygons in another CRS, each in one piece wherever x jumps there.

    tolerance: how far, in units of `target`, an edge may lie from its true image, which bends. What
    has no image there has infinite points.
    """
    filled = ~shapely.is_empty(areas)
    if same_crs(source, target) or not filled.any():
        return areas
    moved = areas.copy()
    moved[filled] = _reproject_areas(areas[filled], source, target, tolerance)
    return moved


def _reproject_areas(areas: Geometries, source: CRS, target: CRS, tolerance: float) -> Geometries:
    turn = full_turn(target)
    ways = _densified(areas, _point_mover(source, target), turn, tolerance)
    moved = ways.geometries(ways.image)
    if turn is not None:
        unwinder = AntimeridianRepair(source, target, turn)
        wholes = ways.geometries(ways.points)
        for number in ways.torn(unwinder):
            moved[number] = unwinder.area(wholes[number], moved[number])
    known = np.isfinite(shapely.bounds(moved)).all(axis=1)
    broken = np.flatnonzero(known & ~shapely.is_valid(moved))
    # The image of a box of longitudes round a pole touches itself.
    moved[broken] = [polygonal_part(each) for each in shapely.make_valid(moved[broken])]
    return moved


Move = Callable[[Floats], Floats]
"""From (point, 2) in one CRS to (point, 2) in another."""


def _point_mover(source: CRS, target: CRS) -> Move:
    """Pixels of some rasters of the world go half a pixel beyond the poles; they end there."""
    pole = np.pi / 2 / radians_of(source) if source.is_geographic else np.inf
    move = transformer(source, target).transform

    def moved(points: Floats) -> Floats:
        return np.column_stack(move(points[:, 0], points[:, 1].clip(-pole, pole)))

    return moved


@dataclass(frozen=True)
class _Rings:
    """The rings of areas, one after the other.

    points, image: (point, 2) in both CRSs. last: (point,) whether a ring ends there. offsets: as of
    shapely.to_ragged_array, those of points left out.
    """

    points: Floats
    image: Floats
    last: NDArray[np.bool_]
    offsets: tuple[Ints, Ints]

    def geometries(self, points: Floats) -> Geometries:
        """The areas with other points."""
        stops = np.append(0, np.flatnonzero(self.last) + 1)
        built = shapely.from_ragged_array(
            shapely.GeometryType.MULTIPOLYGON, points, (stops, *self.offsets)
        )
        single = shapely.get_num_geometries(built) == 1
        built[single] = shapely.get_geometry(built[single], 0)
        return np.asarray(built, dtype=np.object_)

    def torn(self, unwinder: AntimeridianRepair) -> Ints:
        """The areas with neighbouring points, or rings, far apart along x, or with one at a pole."""
        area: Ints = np.cumsum(self.last) - self.last  # the number of the ring, first
        for offsets in self.offsets:
            area = np.asarray(np.searchsorted(offsets, area, side="right") - 1)
        with np.errstate(invalid="ignore"):
            apart = np.abs(np.diff(self.image[:, 0])) > unwinder.turn / 2
        torn = unwinder.at_pole(self.image[:, 1])
        torn[:-1] |= apart & (area[:-1] == area[1:])
        return np.unique(area[torn])


def _densified(areas: Geometries, move: Move, turn: float | None, tolerance: float) -> _Rings:
    """Rings with points enough for their images to bend where they do, and to know where they go."""
    parts, owners = shapely.get_parts(areas, return_index=True)
    whole = shapely.multipolygons(parts, indices=owners)
    _, points, (stops, *offsets) = shapely.to_ragged_array(whole)
    last = np.zeros(len(points), np.bool_)
    last[stops[1:] - 1] = True
    ways = _Rings(points, move(points), last, (offsets[0], offsets[1]))
    fresh = ~last
    for _ in range(MAX_HALVINGS):
        starts = np.flatnonzero(fresh)
        if len(starts) == 0:
            break
        middles = (ways.points[starts] + ways.points[starts + 1]) / 2
        images = move(middles)
        ends = ways.image[starts], images, ways.image[starts + 1]
        cut = _edges_to_halve(*ends, turn, tolerance)
        ways, fresh = _insert_points(ways, starts[cut] + 1, middles[cut], images[cut])
    return ways


def _edges_to_halve(
    start: Floats, middle: Floats, end: Floats, turn: float | None, tolerance: float
) -> NDArray[np.bool_]:
    """Which edges lie too far from the image of their middle, or may go either way round."""
    known = np.isfinite([start, middle, end]).all(axis=(0, 2))
    with np.errstate(invalid="ignore"):
        there, back = middle - start, end - middle
        far = np.zeros(len(start), np.bool_)
        if turn is not None:
            for way in (there, back):
                way[:, 0] -= turn * np.round(way[:, 0] / turn)
                far |= np.abs(way[:, 0]) > MAX_STEP_TURNS * turn
        off = _deviation(there, back) > tolerance
    return np.asarray(known & (off | far))


def _deviation(there: Floats, back: Floats) -> Floats:
    """How far the middles of ways lie from the straight lines between their ends."""
    whole = there + back
    length = np.hypot(*whole.T)
    across = np.abs(there[:, 0] * back[:, 1] - there[:, 1] * back[:, 0])
    on = (there * back).sum(axis=1) >= 0
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(on, across / length, np.hypot(*there.T)))


def _insert_points(
    ways: _Rings, places: Ints, points: Floats, image: Floats
) -> tuple[_Rings, NDArray[np.bool_]]:
    """Rings with more points, and which edges are new."""
    fresh = np.zeros(len(ways.points), np.bool_)
    fresh[places - 1] = True
    more = replace(
        ways,
        points=np.insert(ways.points, places, points, axis=0),
        image=np.insert(ways.image, places, image, axis=0),
        last=np.insert(ways.last, places, False),
    )
    return more, np.insert(fresh, places, True)
