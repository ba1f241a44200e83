"""The georeference of an open raster: its CRS and transform, or an error if they are unusable."""

from __future__ import annotations

import logging
import math
from typing import Any

from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.errors import RasterioError

from geochange.errors import InputError
from geochange.grid.area_of_use import explain_outside, is_far_from_area_of_use
from geochange.grid.grid import Grid
from geochange.raster.gdal_cures import CORNERS_OPTION, CRS_OPTION, edit_command
from geochange.raster.sources.cf_coordinates import crs_of_axes

logger = logging.getLogger(__name__)


def read_grid(path: str, dataset: Any) -> Grid:
    """The grid of an open raster. Raises InputError."""
    found_crs = crs_of_axes(path, dataset)
    if found_crs is None or dataset.transform.is_identity:
        raise InputError(f"{path}: has {_without_transform(path, dataset)}")
    try:
        crs = CRS.from_wkt(found_crs.to_wkt(version="WKT2_2019"))
    except (CRSError, RasterioError) as error:
        raise InputError(
            f"{path}: its CRS is not understood; assign one ({_assign(path, dataset, CRS_OPTION)})"
        ) from error
    if crs.is_geocentric:
        raise InputError(
            f"{path}: its CRS ({crs.name}) is geocentric, it counts metres from the middle of the "
            "Earth; warp it to a map first (gdalwarp -t_srs EPSG:CODE)"
        )
    if crs.is_engineering or crs.geodetic_crs is None:
        raise InputError(
            f"{path}: its CRS ({crs.name}) is not tied to the Earth; assign a real one "
            f"({_assign(path, dataset, CRS_OPTION)})"
        )
    refuse_flat_transform(path, dataset)
    grid = Grid(crs, dataset.transform, (dataset.height, dataset.width))
    found = explain_outside(grid)
    if found is not None:
        raise InputError(
            f"{path}: {found} in its CRS ({grid.crs.name}); check both, and assign the true ones "
            f"({_assign(path, dataset, f'{CRS_OPTION} {CORNERS_OPTION}')})"
        )
    return grid


def refuse_flat_transform(path: str, dataset: Any) -> None:
    """Refuse a transform that cannot be inverted. Raises InputError."""
    cure = _assign(path, dataset, CORNERS_OPTION)
    if not all(map(math.isfinite, dataset.transform[:6])):
        raise InputError(
            f"{path}: its transform holds numbers that are not finite; repair it ({cure})"
        )
    if dataset.transform.determinant == 0:
        raise InputError(f"{path}: its transform gives pixels no area; repair it ({cure})")


def _assign(path: str, dataset: Any, options: str) -> str:
    return edit_command(path, dataset.driver, options)


def warn_far_from_use(path: str, grid: Grid) -> None:
    """Warn of an input that lies where its CRS is hardly ever used."""
    if is_far_from_area_of_use(grid):
        logger.warning(
            "%s: lies far from the area that its CRS (%s) is made for, so its place on the Earth may be "
            "wrong; check the CRS",
            path,
            grid.crs.name,
        )


def _without_transform(path: str, dataset: Any) -> str:
    """What a raster has in place of a georeference, and its cure; they differ."""
    if dataset.gcps[0]:
        return "ground control points only; warp it to a map first (gdalwarp -t_srs EPSG:CODE)"
    return (
        "no georeference; give it a CRS and a transform first (QGIS: Layer > Georeferencer, or "
        f"{_assign(path, dataset, f'{CRS_OPTION} {CORNERS_OPTION}')})"
    )
