"""Writes GDAL's virtual rasters (VRT). Their sources are opened only when they are read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from affine import Affine

from geochange.raster.band_metadata import ORIGIN_DOMAIN, Origin, Role
from geochange.raster.sources.masks import Mask, number_text
from geochange.raster.sources.source import Source, add_source, gdal_type

LARGEST_BYTES = 50_000_000
"""The largest VRT file that is searched for mask files."""


@dataclass(frozen=True)
class Band:
    """A band of a virtual raster.

    sources: each source with its band and the dtype to read. nodata: also that of the sources; their
    missing pixels do not cover sources below. mask: of this band; a mask of the raster has priority.
    """

    dtype: str
    sources: tuple[tuple[Source, int, str], ...]
    nodata: float | None = None
    role: Role = "data"
    mask: Mask | None = None


@dataclass(frozen=True)
class VrtDataset:
    """A virtual raster.

    mask: of all its bands, or None. origin: what is known of its files; see `Origin`.
    """

    crs: str
    transform: Affine
    shape: tuple[int, int]
    bands: tuple[Band, ...]
    mask: Mask | None = None
    origin: Origin | None = None

    def text(self) -> str:
        """The XML text."""
        height, width = self.shape
        vrt = ET.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
        ET.SubElement(vrt, "SRS").text = self.crs
        ET.SubElement(vrt, "GeoTransform").text = ",".join(map(repr, self.transform.to_gdal()))
        if self.origin is not None:
            told = ET.SubElement(vrt, "Metadata", domain=ORIGIN_DOMAIN)
            for key, text in asdict(self.origin).items():
                ET.SubElement(told, "MDI", key=key).text = text
        for position, band in enumerate(self.bands, start=1):
            self._add(vrt, position, band)
        if self.mask is not None:
            self.mask.add_to(vrt, self.shape)
        return ET.tostring(vrt, encoding="unicode")

    def _add(self, vrt: ET.Element, position: int, band: Band) -> None:
        kind = gdal_type(band.dtype)
        node = ET.SubElement(vrt, "VRTRasterBand", dataType=kind, band=str(position))
        turns = () if band.nodata is None else (("NODATA", number_text(band.nodata)),)
        if band.nodata is not None:
            ET.SubElement(node, "NoDataValue").text = number_text(band.nodata)
        if band.role != "data":
            ET.SubElement(node, "ColorInterp").text = band.role.capitalize()
        for source, of, dtype in band.sources:
            add_source(node, source, str(of), dtype, turns)
        if band.mask is not None and self.mask is None:
            band.mask.add_to(node, self.shape)


def mask_files(path: str) -> list[str]:
    """The files of masks in a VRT file, which GDAL does not list."""
    file = Path(path)
    if not file.is_file() or file.stat().st_size > LARGEST_BYTES:
        return []
    text = file.read_bytes()
    if b"<MaskBand" not in text:
        return []
    try:
        vrt = ET.fromstring(text)
    except ET.ParseError:  # an error is reported when GDAL opens it
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
