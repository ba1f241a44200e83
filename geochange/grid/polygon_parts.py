"""Polygon parts of geometries: what an intersection leaves beside them."""

from __future__ import annotations

import shapely

POLYGON = 3
"""GEOS's number of the type."""


def polygonal_part(geometry: shapely.Geometry) -> shapely.Geometry:
    """A geometry without the points and lines in it that have no area."""
    if geometry.geom_type in ("Polygon", "MultiPolygon"):
        return geometry
    parts = shapely.get_parts(geometry)
    parts = shapely.get_parts(parts)  # a collection may hold a MultiPolygon
    return shapely.multipolygons(parts[shapely.get_type_id(parts) == POLYGON])
