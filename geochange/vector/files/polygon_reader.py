"""Reads polygons of a vector file, in any CRS, as outlines in pixels of a grid."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import rasterio.features
import shapely
from affine import Affine
from numpy.typing import NDArray
from pyogrio.errors import DataLayerError, DataSourceError, FeatureError, FieldError
from pyproj import CRS
from pyproj.exceptions import CRSError
from shapely.errors import GEOSException

from geochange.errors import InputError, one_line
from geochange.files.archives import file_on_disk
from geochange.grid.crs import full_turn
from geochange.grid.grid import Grid, to_ground
from geochange.grid.longitude_wrap import moved_into_span, translated_x, turns_over
from geochange.grid.polygon_parts import polygonal_part
from geochange.grid.tiling import Window
from geochange.grid.transform_geometry import reproject_areas
from geochange.vector.files.complete_files import check_last_feature, require_readable
from geochange.vector.files.format_check import refuse_other_driver
from geochange.vector.files.formats import VECTORS, exists, gdal_dataset_name, readable_name
from geochange.vector.files.writers import LAYER
from geochange.vector.tracing.polygons import Geometries

BOX_MARGIN = 0.05
"""Polygons are searched in the bounding box of a grid, enlarged by this share of its size."""

TOLERANCE_PX = 0.002
"""Long edges get more points until the reprojected edge is this close to the true curve."""

JOINT_PX = 1e-5
"""Parts of a polygon that are this close to each other are joined."""

UNREADABLE = (
    *(DataSourceError, DataLayerError, FeatureError, FieldError, IndexError, OSError),
    *(UnicodeDecodeError, GEOSException),
)
"""Exceptions of pyogrio for unreadable files: IndexError for a file without layers,
UnicodeDecodeError for text that is not valid UTF-8, GEOSException for a ring that is not closed."""


@dataclass(frozen=True)
class Layer:
    """A layer of polygons in a vector file.

    bounds: (west, south, east, north) in `crs`; None if the layer is empty.
    """

    path: Path
    name: str
    crs: CRS
    features: int
    bounds: tuple[float, float, float, float] | None

    @property
    def key(self) -> tuple[str, str, int]:
        """A key that differs for another file, another layer, or a later modification."""
        return str(self.path), self.name, file_on_disk(self.path).stat().st_mtime_ns


def find_layer(path: Path) -> Layer:
    """The layer `changes` of a file, or its only layer. Raises InputError."""
    if not exists(path):
        raise InputError(f"{path}: no such file; check the path")
    gdal_dataset_name(path)  # refuses other formats under the user's name
    require_readable(path)
    try:
        with readable_name(path) as name:
            listed = pyogrio.list_layers(name)
            names = [str(name) for name, geometry in listed if geometry is not None]
            layer = _only_layer(path, names)
            about = pyogrio.read_info(
                name, layer, force_feature_count=True, force_total_bounds=True
            )
            refuse_other_driver(path, about)
            check_last_feature(name, layer, about["features"])
    except UNREADABLE as error:
        raise InputError(
            f"{path}: damaged, or not a vector file GDAL can read ({one_line(error)}); export it "
            f"again, as one of {', '.join(VECTORS)}"
        ) from error
    bounds = about["total_bounds"]
    return Layer(
        path=path,
        name=layer,
        crs=_crs_of(path, about["crs"]),
        features=about["features"],
        bounds=bounds
        if about["features"] and bounds is not None and np.isfinite(bounds).all()
        else None,
    )


def _only_layer(path: Path, names: list[str]) -> str:
    if LAYER in names or len(names) == 1:
        return LAYER if LAYER in names else names[0]
    if not names:
        raise InputError(f"{path}: holds no layer of polygons; export one into it")
    raise InputError(
        f"{path}: holds the layers {', '.join(names)}; rename the one to use to {LAYER!r}, or "
        "export it alone"
    )


def _crs_of(path: Path, text: str | None) -> CRS:
    if text is None:
        raise InputError(f"{path}: has no CRS; set it first (QGIS: Layer > Set CRS, then export)")
    try:
        crs = CRS.from_user_input(text)
    except CRSError as error:
        raise InputError(f"{path}: its CRS is not understood; assign one in QGIS") from error
    if crs.is_engineering or crs.geodetic_crs is None:
        raise InputError(
            f"{path}: its CRS ({crs.name}) is not tied to the Earth; assign a real one"
        )
    return crs


def read_outlines(layer: Layer, grid: Grid, where: str | None = None) -> Geometries:
    """The polygons of a layer that touch a grid, in its pixels: (x, y) = (col, row) of corners.

    where: an SQL condition on their attributes.

    Returns non-empty Polygons and MultiPolygons. Parts far outside the grid are cut off. Polygons that
    are cut at 180 degrees are joined again. Raises InputError for geometries that are not polygons or
    are invalid.
    """
    fids, drawn = _read_drawn_polygons(layer, grid, where)
    fine = min(grid.pixel_size) * TOLERANCE_PX
    moved = reproject_areas(drawn, layer.crs, grid.crs, fine)
    moved = to_ground(moved_into_span(moved, full_turn(grid.crs), grid.span), ~grid.transform)
    whole = shapely.box(0, 0, grid.shape[1], grid.shape[0])
    bounds = shapely.bounds(moved).reshape(-1, 4)
    kept = np.isfinite(bounds).all(axis=1)
    kept[kept] = shapely.intersects(whole, shapely.box(*bounds[kept].T))
    return _join_parts(fids[kept], moved[kept])


def _join_parts(fids: NDArray[np.int64], outlines: Geometries) -> Geometries:
    """One outline for each feature, in one piece where several turns brought parts of it."""
    _, first, owners, counts = np.unique(
        fids, return_index=True, return_inverse=True, return_counts=True
    )
    whole = outlines[first]
    for number in np.flatnonzero(counts > 1):
        parts = shapely.make_valid(outlines[owners == number])
        whole[number] = polygonal_part(shapely.union_all(parts, grid_size=JOINT_PX))
    return np.asarray(whole, dtype=np.object_)


Box = tuple[float, float, float, float]


def _read_drawn_polygons(
    layer: Layer, grid: Grid, where: str | None
) -> tuple[NDArray[np.int64], Geometries]:
    """The numbers and polygons of features near a grid, each as often as turns bring it there."""
    box, turn = _search_box(grid, layer.crs), full_turn(layer.crs)
    if box is None:
        return _checked(layer, box, where)
    span = (box[0], box[2])
    held = span if layer.bounds is None else (layer.bounds[0], layer.bounds[2])
    found: list[tuple[NDArray[np.int64], Geometries]] = []
    for turns in turns_over(span, held, turn):
        shift = turns * (turn or 0.0)
        there = (box[0] - shift, box[1], box[2] - shift, box[3])
        fids, shapes = _within(*_checked(layer, there, where), there)
        found.append((fids, translated_x(shapes, shift)))
    if not found:
        return np.empty(0, np.int64), np.empty(0, np.object_)
    fids, shapes = map(np.concatenate, zip(*found, strict=True))
    return fids, np.asarray(shapes, dtype=np.object_)


def _search_box(grid: Grid, crs: CRS) -> Box | None:
    """The bounding box of a grid in another CRS, with a margin; None if it cannot be projected."""
    areas = np.array([grid.footprint()], dtype=np.object_)
    west, south, east, north = shapely.bounds(reproject_areas(areas, grid.crs, crs))[0]
    if not np.isfinite([west, south, east, north]).all():
        return None
    x, y = BOX_MARGIN * (east - west), BOX_MARGIN * (north - south)
    return float(west - x), float(south - y), float(east + x), float(north + y)


def _checked(
    layer: Layer, box: Box | None, where: str | None
) -> tuple[NDArray[np.int64], Geometries]:
    """The ids and geometries of features in a box, checked to be valid, non-empty polygons."""
    try:
        with readable_name(layer.path) as name:
            _, fids, packed, _ = pyogrio.raw.read(
                name,
                layer.name,
                # Some drivers evaluate a condition only on attributes that are read.
                columns=None if where else [],
                bbox=box,
                where=where,
                force_2d=True,
                return_fids=True,
            )
    except UNREADABLE as error:
        raise InputError(
            f"{layer.path}: damaged, its polygons cannot be read ({one_line(error)}); export it again"
        ) from error
    there = np.array([item is not None for item in packed], np.bool_)
    fids, shapes = fids[there], shapely.from_wkb(packed[there], on_invalid="ignore")
    polygonal = np.isin(shapely.get_type_id(shapes), (3, 6)) | shapely.is_missing(shapes)
    for fid, shape in zip(fids[~polygonal], shapes[~polygonal], strict=True):
        raise InputError(
            f"{layer.path}: feature {fid} is a {shape.geom_type}, not a polygon; leave only "
            "polygons in it"
        )
    for number in np.flatnonzero(~shapely.is_valid(shapes)):
        reason = shapely.is_valid_reason(shapes[number]) or "a ring that is not closed"
        raise InputError(
            f"{layer.path}: feature {fids[number]} is not a valid polygon ({reason}); repair it "
            "(QGIS: Fix geometries)"
        )
    return _filled(fids, shapes)


def _filled(fids: NDArray[Any], shapes: Geometries) -> tuple[NDArray[np.int64], Geometries]:
    filled = ~shapely.is_empty(shapes)
    return np.asarray(fids[filled], np.int64), np.asarray(shapes[filled], dtype=np.object_)


def _within(
    fids: NDArray[np.int64], shapes: Geometries, box: Box
) -> tuple[NDArray[np.int64], Geometries]:
    """Polygons cut to a box, because parts outside may not be projectable."""
    frame = shapely.box(*box)
    shapely.prepare(frame)
    across = ~shapely.contains_properly(frame, shapes)
    shapes = shapes.copy()
    shapes[across] = [polygonal_part(cut) for cut in shapely.intersection(shapes[across], frame)]
    return _filled(fids, shapes)


class Burner:
    """Rasterises outlines into any window of their grid."""

    def __init__(self, outlines: Geometries) -> None:
        self.outlines = outlines
        self._tree = shapely.STRtree(outlines)

    def burn(self, window: Window) -> NDArray[np.bool_]:
        """(height, width) bool: whether the centre of a pixel lies in an outline.

        The result for a pixel does not depend on the window, as outlines are moved by whole pixels.
        """
        frame = shapely.box(window.col, window.row, window.col_stop, window.row_stop)
        near = self.outlines[np.sort(self._tree.query(frame))]
        shape = (window.height, window.width)
        if len(near) == 0:
            return np.zeros(shape, np.bool_)
        # rasterio warns of an identity transform, as if the outlines had no place on the ground. So a
        # window at the origin gets one more row and column before it.
        more = int(window.row == window.col == 0)
        corner = Affine.translation(window.col - more, window.row - more)
        larger = (shape[0] + more, shape[1] + more)
        burnt = rasterio.features.rasterize(near, larger, transform=corner, dtype="uint8")
        return np.asarray(burnt[more:, more:], np.bool_)
