"""Rasters made of several files: kept in GDAL's memory for as long as this process lives."""

from __future__ import annotations

from dataclasses import dataclass

from rasterio.io import MemoryFile

from geochange.raster.acquisition import Acquisition
from geochange.raster.sources.vrt import VrtDataset


@dataclass(frozen=True)
class VirtualFile:
    """A virtual raster.

    name: by which GDAL opens it, in this process. files: what it is made of. memory: what holds it.
    """

    name: str
    files: tuple[str, ...]
    acquired: Acquisition | None
    memory: tuple[MemoryFile, ...]


def in_memory(virtual: VrtDataset) -> MemoryFile:
    """A virtual raster as a file in memory."""
    return MemoryFile(virtual.text().encode(), filename="made.vrt")
