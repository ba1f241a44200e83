"""The text of GDAL's virtual rasters, whose sources are opened only when they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from affine import Affine

from geochange.raster.band_info import Role
from geochange.raster.sources.masks import Mask, number
from geochange.raster.sources.source import Source, add_source, gdal_type

LARGEST_BYTES = 50_000_000
"""A larger file is not looked through for the files behind its masks."""


@dataclass(frozen=True)
class Band:
    """A band of a virtual raster.

    sources: each source with the band and the type that is read of it. nodata: of a source too: what
    it lacks does not cover what lies below. mask: its own; the raster's goes before.
    """

    dtype: str
    sources: tuple[tuple[Source, int, str], ...]
    nodata: float | None = None
    role: Role = "data"
    mask: Mask | None = None


@dataclass(frozen=True)
class VrtDataset:
    """A virtual raster. mask: of all its bands; None for none."""

    crs: str
    transform: Affine
    shape: tuple[int, int]
    bands: tuple[Band, ...]
    mask: Mask | None = None

    def text(self) -> str:
        """As XML."""
        height, width = self.shape
        vrt = ET.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
        ET.SubElement(vrt, "SRS").text = self.crs
        ET.SubElement(vrt, "GeoTransform").text = ",".join(map(repr, self.transform.to_gdal()))
        for position, band in enumerate(self.bands, start=1):
            self._add(vrt, position, band)
        if self.mask is not None:
            self.mask.add_to(vrt, self.shape)
        return ET.tostring(vrt, encoding="unicode")

    def _add(self, vrt: ET.Element, position: int, band: Band) -> None:
        kind = gdal_type(band.dtype)
        node = ET.SubElement(vrt, "VRTRasterBand", dataType=kind, band=str(position))
        turns = () if band.nodata is None else (("NODATA", number(band.nodata)),)
        if band.nodata is not None:
            ET.SubElement(node, "NoDataValue").text = number(band.nodata)
        if band.role != "data":
            ET.SubElement(node, "ColorInterp").text = band.role.capitalize()
        for source, of, dtype in band.sources:
            add_source(node, source, str(of), dtype, turns)
        if band.mask is not None and self.mask is None:
            band.mask.add_to(node, self.shape)


def mask_files(path: str) -> list[str]:
    """The files behind the masks of a virtual raster on disk, which GDAL does not list."""
    file = Path(path)
    if not file.is_file() or file.stat().st_size > LARGEST_BYTES:
        return []
    text = file.read_bytes()
    if b"<MaskBand" not in text:
        return []
    try:
        vrt = ET.fromstring(text)
    except ET.ParseError:  # what GDAL cannot read either is said when it is opened
        return []
    return [
        str(file.parent / source.text) if source.get("relativeToVRT") == "1" else source.text
        for mask in vrt.iter("MaskBand")
        for source in mask.iter("SourceFilename")
        if source.text
    ]


def sources_of(
    band: int, dtype: str, sources: Iterable[Source]
) -> tuple[tuple[Source, int, str], ...]:
    """The same band of every source."""
    return tuple((source, band, dtype) for source in sources)
