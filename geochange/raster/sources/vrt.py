"""The text of GDAL's virtual rasters, whose sources are opened only when they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from affine import Affine


@dataclass(frozen=True)
class Source:
    """A file in a virtual raster: its place there, and what need not be asked of it.

    at: (row, col) of its first pixel. bands: which of it, in the order of the virtual raster's.
    """

    path: str
    shape: tuple[int, int]
    block_px: tuple[int, int]
    at: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Band:
    """A band of a virtual raster: from which of each source's it comes."""

    dtype: str
    sources: tuple[tuple[Source, int], ...]
    is_alpha: bool = False


@dataclass(frozen=True)
class VrtDataset:
    """A virtual raster. mask: those sources whose masks make its own; None for none."""

    crs: str
    transform: Affine
    shape: tuple[int, int]
    bands: tuple[Band, ...]
    nodata: float | None = None
    mask: tuple[Source, ...] | None = None

    def text(self) -> str:
        """As XML."""
        height, width = self.shape
        vrt = ET.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
        ET.SubElement(vrt, "SRS").text = self.crs
        ET.SubElement(vrt, "GeoTransform").text = ",".join(map(repr, self.transform.to_gdal()))
        for number, band in enumerate(self.bands, start=1):
            kind = gdal_type(band.dtype)
            node = ET.SubElement(vrt, "VRTRasterBand", dataType=kind, band=str(number))
            if self.nodata is not None:
                ET.SubElement(node, "NoDataValue").text = repr(self.nodata)
            if band.is_alpha:
                ET.SubElement(node, "ColorInterp").text = "Alpha"
            for source, of in band.sources:
                _add(node, source, str(of), band.dtype, self.nodata)
        if self.mask is not None:
            node = ET.SubElement(ET.SubElement(vrt, "MaskBand"), "VRTRasterBand", dataType="Byte")
            for source in self.mask:
                _add(node, source, "mask,1", "uint8", None)
        return ET.tostring(vrt, encoding="unicode")


def gdal_type(dtype: str) -> str:
    """GDAL's name of a type: Byte, UInt16, Float32 ..."""
    return "Byte" if dtype == "uint8" else dtype.capitalize().replace("Uint", "UInt")


def _add(node: ET.Element, source: Source, band: str, dtype: str, nodata: float | None) -> None:
    kind = "SimpleSource" if nodata is None else "ComplexSource"
    simple = ET.SubElement(node, kind)
    ET.SubElement(simple, "SourceFilename", relativeToVRT="0").text = source.path
    ET.SubElement(simple, "SourceBand").text = band
    height, width = source.shape
    ET.SubElement(
        simple,
        "SourceProperties",
        RasterXSize=str(width),
        RasterYSize=str(height),
        DataType=gdal_type(dtype),
        BlockXSize=str(source.block_px[1]),
        BlockYSize=str(source.block_px[0]),
    )
    row, col = source.at
    size = {"xSize": str(width), "ySize": str(height)}
    ET.SubElement(simple, "SrcRect", {"xOff": "0", "yOff": "0", **size})
    ET.SubElement(simple, "DstRect", {"xOff": str(col), "yOff": str(row), **size})
    if nodata is not None:  # what it lacks does not cover what lies below
        ET.SubElement(simple, "NODATA").text = repr(nodata)


def sources_of(band: int, sources: Iterable[Source]) -> tuple[tuple[Source, int], ...]:
    """The same band of every source."""
    return tuple((source, band) for source in sources)
