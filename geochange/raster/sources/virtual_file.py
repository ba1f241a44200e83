"""Virtual rasters of several files, kept in GDAL's memory while this process runs."""

from __future__ import annotations

from dataclasses import dataclass

from rasterio.io import MemoryFile

from geochange.raster.acquisition import Acquisition
from geochange.raster.sources.vrt import VrtDataset


@dataclass(frozen=True)
class VirtualFile:
    """A virtual raster.

    name: its GDAL name in this process. files: its sources. memory: keeps it alive.
    reading_bytes: the most memory for reading one pixel of any file.
    """

    name: str
    files: tuple[str, ...]
    acquired: Acquisition | None
    memory: tuple[MemoryFile, ...]
    reading_bytes: int = 0


def in_memory(virtual: VrtDataset) -> MemoryFile:
    """A virtual raster as a file in memory."""
    return MemoryFile(virtual.text().encode(), filename="made.vrt")
