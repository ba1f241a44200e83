"""Masks of virtual rasters: 255 where there is data, 0 elsewhere, computed by GDAL as it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

import numpy as np

from geochange.raster.sources.source import Source, Turn, add_source

SMALLEST = 1e-30
"""What is above 0, of an alpha band in floats too."""

_PRODUCT, _SUM = "mul", "sum"
"""GDAL's pixel functions. Sums and products of 255 stay 255 in a byte."""


@dataclass(frozen=True)
class Cover:
    """Where one band of a source holds data.

    band, dtype: see `add_source`. turns: how its numbers become 255 and 0.
    """

    source: Source
    band: str
    dtype: str
    turns: tuple[Turn, ...]


def mask_cover(source: Source, band: int) -> Cover:
    """Where the mask of a band is not 0."""
    return Cover(source, f"mask,{band}", "uint8", (("LUT", f"0:0,{SMALLEST!r}:255"),))


def alpha_cover(source: Source, band: int, dtype: str) -> Cover:
    """Where an alpha band is above 0."""
    return Cover(source, str(band), dtype, (("LUT", f"0:0,{SMALLEST!r}:255"),))


def unmarked_cover(source: Source, band: int, dtype: str, mark: float) -> Cover:
    """Where a band does not hold `mark`."""
    # A pixel that holds NODATA is not written and stays 0; the others become 0 * value + 255.
    constant = (("ScaleOffset", "255"), ("ScaleRatio", "0"))
    return Cover(source, str(band), dtype, (*constant, ("NODATA", number(mark))))


def measured_cover(source: Source, band: int, dtype: str, beyond: float) -> Cover:
    """Where a band holds a number whose size is below `beyond`; NaN is not."""
    last = float(np.nextafter(np.dtype(dtype).type(beyond), 0))
    knots = ((-beyond, 0), (-last, 255), (last, 255), (beyond, 0))
    return Cover(source, str(band), dtype, (("LUT", ",".join(f"{x!r}:{y}" for x, y in knots)),))


def whole_cover(source: Source, band: int, dtype: str) -> Cover:
    """All of a source, where it lies."""
    return Cover(source, str(band), dtype, (("ScaleOffset", "255"), ("ScaleRatio", "0")))


@dataclass(frozen=True)
class Mask:
    """Covers, or masks of covers, put together.

    rule: "topmost" takes the last that lies there, as a mosaic does; "all" and "any" say which of
    them must hold data for the pixel to do so.
    """

    rule: Literal["topmost", "all", "any"]
    parts: tuple[Cover | Mask, ...]

    def add_to(self, node: ET.Element, shape: tuple[int, int]) -> None:
        """Add it as the mask band of a virtual raster, or of one of its bands."""
        self._add_band(ET.SubElement(node, "MaskBand"), shape)

    def _add_band(self, node: ET.Element, shape: tuple[int, int]) -> None:
        band = ET.SubElement(node, "VRTRasterBand", dataType="Byte")
        if self.rule != "topmost" and len(self.parts) > 1:
            band.set("subClass", "VRTDerivedRasterBand")
            function = _PRODUCT if self.rule == "all" else _SUM
            ET.SubElement(band, "PixelFunctionType").text = function
        for part in self.parts:
            if isinstance(part, Mask):
                part = alpha_cover(Source(part._text(shape), shape), 1, "uint8")
            add_source(band, part.source, part.band, part.dtype, part.turns)

    def _text(self, shape: tuple[int, int]) -> str:
        """As a virtual raster of its own: of a pixel function within another GDAL knows nothing."""
        vrt = ET.Element("VRTDataset", rasterXSize=str(shape[1]), rasterYSize=str(shape[0]))
        self._add_band(vrt, shape)
        vrt[0].set("band", "1")
        return ET.tostring(vrt, encoding="unicode")


def number(value: float) -> str:
    """A number as GDAL reads it; whole ones in all their digits."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**64 else repr(value)
