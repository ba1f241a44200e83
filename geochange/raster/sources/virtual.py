"""Rasters made of several files: kept in GDAL's memory for as long as this process lives."""

from __future__ import annotations

from dataclasses import dataclass

from rasterio.io import MemoryFile

from geochange.raster.acquisition import Acquired
from geochange.raster.sources.vrt import Virtual


@dataclass(frozen=True)
class Made:
    """A virtual raster.

    name: by which GDAL opens it, in this process. files: what it is made of. memory: what holds it.
    """

    name: str
    files: tuple[str, ...]
    acquired: Acquired | None
    memory: tuple[MemoryFile, ...]


def in_memory(virtual: Virtual) -> MemoryFile:
    """A virtual raster as a file in memory."""
    return MemoryFile(virtual.text().encode(), filename="made.vrt")
