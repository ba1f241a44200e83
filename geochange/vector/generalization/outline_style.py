"""Outline style: how the outlines of pixels are smoothed, simplified or made orthogonal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from geochange.grid.grid import Grid
from geochange.vector.generalization import orthogonal
from geochange.vector.generalization.rounding import cut_corners
from geochange.vector.generalization.smooth import HALF_PX
from geochange.vector.tracing.polygons import Geometries

POLYGON = 3
"""GEOS's number of the geometry type."""

PIXELS = ((1.0, 0.0), (0.0, 1.0))


@dataclass(frozen=True)
class OutlineStyle:
    """How outlines are drawn.

    simplify_px: the tolerance of simplification. rounds: how often corners are cut. orthogonal:
    whether straight walls get right angles. metric: from pixels to lengths on the ground; see
    `orthogonalize`.
    """

    simplify_px: float = HALF_PX
    rounds: int = 0
    orthogonal: bool = False
    metric: tuple[tuple[float, float], tuple[float, float]] = PIXELS

    @property
    def may_meet(self) -> bool:
        """Whether this style can make outlines overlap, so that neighbours must be compared."""
        return self.simplify_px > HALF_PX or self.rounds > 0 or self.orthogonal

    @property
    def margin_px(self) -> float:
        """How far an outline may leave the box of its region."""
        if not self.orthogonal:
            return 0.0
        # Pixels may be longer on the ground in one direction.
        return orthogonal.REACH_PX * float(np.linalg.norm(np.linalg.inv(np.array(self.metric)), 2))

    def draw(self, outlines: Geometries, plain: NDArray[np.bool_]) -> Geometries:
        """Draw smooth outlines in this style, each by itself; an invalid result is discarded.

        plain: outlines that stay unchanged. Neighbours may overlap afterwards.
        """
        if not self.may_meet or len(outlines) == 0:
            return outlines
        drawn = _simplify(outlines, self.simplify_px - HALF_PX)
        squared = np.zeros(len(outlines), np.bool_)
        if self.orthogonal:
            squares, squared = orthogonal.orthogonalize(outlines, np.array(self.metric))
            drawn = np.where(squared, squares, drawn)
        rounded = np.where(squared, drawn, cut_corners(drawn, self.rounds))
        drawn = np.where(_is_polygon(rounded), rounded, drawn)
        return np.asarray(np.where(plain, outlines, drawn), dtype=np.object_)


def _simplify(outlines: Geometries, spare_px: float) -> Geometries:
    """Simplify (Douglas & Peucker, 1973); an outline that becomes invalid is kept as it was."""
    if spare_px <= 0:
        return outlines
    # GEOS may drop the start of a ring after the rest: the error can be twice the tolerance.
    thin = np.asarray(shapely.simplify(outlines, spare_px / 2, preserve_topology=True))
    return np.asarray(np.where(_is_polygon(thin), thin, outlines), dtype=np.object_)


def _is_polygon(outlines: Geometries) -> NDArray[np.bool_]:
    return np.asarray(shapely.is_valid(outlines) & (shapely.get_type_id(outlines) == POLYGON))


def outline_style_for(
    grid: Grid, simplify_px: float, rounds: int, orthogonal: bool
) -> OutlineStyle:
    """A style whose right angles are right on the ground, as far as the CRS allows."""
    return OutlineStyle(simplify_px, rounds, orthogonal, _metric(grid) if orthogonal else PIXELS)


def _metric(grid: Grid) -> tuple[tuple[float, float], tuple[float, float]]:
    a, b, _, d, e, _ = grid.transform[:6]
    matrix = np.array([[a, b], [d, e]])
    if grid.crs.is_geographic:
        # A degree of longitude shrinks towards the poles.
        latitude = shapely.centroid(grid.footprint()).y
        matrix[0] *= np.cos(np.radians(latitude))
    matrix /= np.sqrt(abs(np.linalg.det(matrix)))
    (p, q), (r, s) = matrix.tolist()
    return (p, q), (r, s)
