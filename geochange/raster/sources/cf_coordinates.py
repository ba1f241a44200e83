"""Assigns WGS 84 to CF files (netCDF) with latitude and longitude axes but without a CRS."""

from __future__ import annotations

import logging
import re
from typing import Any

from rasterio.crs import CRS

logger = logging.getLogger(__name__)

NORTH_UNITS = re.compile(r"^degrees?_?(north|N)$")
EAST_UNITS = re.compile(r"^degrees?_?(east|E)$")
"""The units of the axes in CF (sections 4.1 and 4.2)."""

AXIS_NAMES = (("lat", "latitude"), ("lon", "longitude"))
"""The names of the axes if their units are only degrees."""

_SLACK_DEGREES = 1.0


def crs_of_axes(path: str, dataset: Any) -> CRS | None:
    """The CRS of an open raster. It is WGS 84, with a warning, if only its axes give its position."""
    if dataset.crs is None and is_lonlat(dataset):
        logger.warning(
            "%s: names no CRS; its axes are latitude and longitude, so WGS 84 is used", path
        )
        return CRS.from_epsg(4326)
    return dataset.crs


def is_lonlat(dataset: Any) -> bool:
    """Whether an open netCDF raster has regular axes of latitude and longitude."""
    if dataset.driver != "netCDF" or dataset.transform.is_identity:
        return False
    units = {
        name.removesuffix("#units").lower(): text
        for name, text in dataset.tags().items()
        if name.endswith("#units")
    }
    south, north = sorted((dataset.bounds.bottom, dataset.bounds.top))
    return (
        all(
            _has_axis(units, kind, names)
            for kind, names in zip((NORTH_UNITS, EAST_UNITS), AXIS_NAMES, strict=True)
        )
        and south >= -90 - _SLACK_DEGREES
        and north <= 90 + _SLACK_DEGREES
    )


def _has_axis(units: dict[str, str], kind: re.Pattern[str], names: tuple[str, ...]) -> bool:
    said = any(kind.match(text) for text in units.values())
    return said or any(units.get(name, "").startswith("degree") for name in names)
