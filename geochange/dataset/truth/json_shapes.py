"""Polygons in JSON files of other people, in pixels of a picture: read within limits, and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.errors import ShapelyError

from geochange.errors import InputError
from geochange.files.bounded_read import parse_json
from geochange.files.file_tree import read_file
from geochange.grid.tiling import Window
from geochange.vector.files.polygon_reader import Burner

FARTHEST_PX = 1_000_000.0
"""The largest coordinate of a corner."""

MOST_CORNERS = 50_000_000
"""The largest number of corners in a file."""


def read_json(path: Path, most: int, what: str) -> dict[str, Any]:
    """The object in a JSON file. most: the size limit. Raises InputError."""
    text = read_file(path, most, what)
    try:
        found = parse_json(text)
    except ValueError as error:
        raise InputError(f"{path}: cannot be read as JSON; fetch or export it again") from error
    if not isinstance(found, dict):
        raise InputError(f"{path}: is not {what}; check the path")
    return found


def polygons_of_wkt(path: Path, texts: Sequence[str]) -> NDArray[np.object_]:
    """Polygons and MultiPolygons of WKT in pixels. Raises InputError for others."""
    try:
        with np.errstate(invalid="ignore"):  # corners that are no numbers are refused below
            shapes = shapely.from_wkt(np.asarray(texts, dtype=np.object_))
    except (ShapelyError, TypeError, ValueError) as error:
        raise InputError(f"{path}: holds WKT that is no polygon; export it again") from error
    shapes = np.atleast_1d(np.asarray(shapes, dtype=np.object_))
    if not np.isin(shapely.get_type_id(shapes), (3, 6)).all():
        raise InputError(f"{path}: holds shapes that are no polygons; export polygons alone")
    return _within_limits(path, shapes[~shapely.is_empty(shapes)])


def polygon_of_ring(path: Path, ring: Any) -> NDArray[np.object_]:
    """The polygon of a flat list x, y, x, y, ... in pixels. Raises InputError for another list."""
    try:
        corners = np.asarray(ring, np.float64)
    except (TypeError, ValueError, OverflowError):
        corners = np.empty(0)
    if corners.ndim != 1 or len(corners) < 6 or len(corners) % 2:
        raise InputError(
            f"{path}: holds a segmentation that is no list of three or more corners; export polygons"
        )
    points = corners.reshape(-1, 2)
    _refuse_far(path, points)
    return np.array([shapely.Polygon(points)], dtype=np.object_)


def _within_limits(path: Path, shapes: NDArray[np.object_]) -> NDArray[np.object_]:
    _refuse_far(path, shapely.get_coordinates(shapes))
    return shapes


def _refuse_far(path: Path, points: NDArray[np.float64]) -> None:
    if len(points) > MOST_CORNERS or not (np.abs(points) <= FARTHEST_PX).all():
        raise InputError(
            f"{path}: holds corners beyond {FARTHEST_PX:,.0f} px, or too many; are they in pixels?"
        )


def draw(shapes: NDArray[np.object_], shape: tuple[int, int], window: Window | None) -> Any:
    """(height, width) bool: whether the centre of a pixel lies in one of the polygons."""
    return Burner(shapes).burn(window or Window(0, 0, *shape))
