"""Sources: files in GDAL's virtual rasters, with their position and the band that is read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

SourceOption = tuple[str, str]
"""A tag of a source and its text, with which GDAL converts values."""


@dataclass(frozen=True)
class Source:
    """A file in a virtual raster.

    at: (row, col) of its first pixel in the virtual raster.
    block_px: (rows, cols) of its blocks. With it, GDAL opens the file on first use; with None, at once.
    overview: the 0-based overview that is opened instead of the full resolution.
    """

    path: str
    shape: tuple[int, int]
    block_px: tuple[int, int] | None = None
    at: tuple[int, int] = (0, 0)
    overview: int | None = None


def add_source(
    node: ET.Element, source: Source, band: str, dtype: str, turns: Iterable[SourceOption] = ()
) -> None:
    """Add a source to a band of a virtual raster.

    band: "3" for the third band, "mask,3" for its mask. dtype: the dtype that is read.
    turns: how values are converted; empty for unchanged values.
    """
    turns = tuple(turns)
    child = ET.SubElement(node, "ComplexSource" if turns else "SimpleSource")
    ET.SubElement(child, "SourceFilename", relativeToVRT="0").text = source.path
    if source.overview is not None:
        options = ET.SubElement(child, "OpenOptions")
        ET.SubElement(options, "OOI", key="OVERVIEW_LEVEL").text = str(source.overview)
    ET.SubElement(child, "SourceBand").text = band
    if source.block_px is not None:
        _add_properties(child, source.shape, source.block_px, dtype)
    height, width = source.shape
    row, col = source.at
    size = {"xSize": str(width), "ySize": str(height)}
    ET.SubElement(child, "SrcRect", {"xOff": "0", "yOff": "0", **size})
    ET.SubElement(child, "DstRect", {"xOff": str(col), "yOff": str(row), **size})
    for tag, text in turns:
        ET.SubElement(child, tag).text = text


def _add_properties(
    child: ET.Element, shape: tuple[int, int], block_px: tuple[int, int], dtype: str
) -> None:
    ET.SubElement(
        child,
        "SourceProperties",
        RasterXSize=str(shape[1]),
        RasterYSize=str(shape[0]),
        DataType=gdal_type(dtype),
        BlockXSize=str(block_px[1]),
        BlockYSize=str(block_px[0]),
    )


def gdal_type(dtype: str) -> str:
    """GDAL's name of a dtype: Byte, UInt16, Float32 ..."""
    return "Byte" if dtype == "uint8" else dtype.capitalize().replace("Uint", "UInt")
