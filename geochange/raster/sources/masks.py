"""Masks of virtual rasters: 255 with data, 0 without, computed by GDAL while it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from xml.etree import ElementTree as ET

import numpy as np

from geochange.raster.sources.source import Source, SourceOption, add_source

LEAST_POSITIVE = 1e-30
"""Values from here on are above 0, also in an alpha band of floats."""

_PRODUCT, _SUM = "mul", "sum"
"""GDAL's pixel functions. Sums and products of 255 are clipped to 255 in a byte."""


@dataclass(frozen=True)
class MaskPart:
    """Where one band of a source holds data.

    band, dtype: see `add_source`. turns: how its values become 255 and 0.
    """

    source: Source
    band: str
    dtype: str
    turns: tuple[SourceOption, ...]


def mask_cover(source: Source, band: int) -> MaskPart:
    """Where the mask of a band is not 0."""
    return MaskPart(source, f"mask,{band}", "uint8", (("LUT", f"0:0,{LEAST_POSITIVE!r}:255"),))


def alpha_cover(source: Source, band: int, dtype: str) -> MaskPart:
    """Where an alpha band is above 0."""
    return MaskPart(source, str(band), dtype, (("LUT", f"0:0,{LEAST_POSITIVE!r}:255"),))


def nodata_cover(source: Source, band: int, dtype: str, mark: float) -> MaskPart:
    """Where a band does not hold the value `mark`."""
    # A pixel with NODATA is not written and stays 0. Others become 0 * value + 255.
    constant = (("ScaleOffset", "255"), ("ScaleRatio", "0"))
    return MaskPart(source, str(band), dtype, (*constant, ("NODATA", number_text(mark))))


def magnitude_cover(source: Source, band: int, dtype: str, beyond: float) -> MaskPart:
    """Where a band holds a value with a magnitude below `beyond`; NaN is not data."""
    last = float(np.nextafter(np.dtype(dtype).type(beyond), 0))
    knots = ((-beyond, 0), (-last, 255), (last, 255), (beyond, 0))
    return MaskPart(source, str(band), dtype, (("LUT", ",".join(f"{x!r}:{y}" for x, y in knots)),))


def whole_cover(source: Source, band: int, dtype: str) -> MaskPart:
    """The whole extent of a source."""
    return MaskPart(source, str(band), dtype, (("ScaleOffset", "255"), ("ScaleRatio", "0")))


@dataclass(frozen=True)
class Mask:
    """A combination of covers or of other masks.

    rule: "topmost" takes the last part that covers a pixel, as a mosaic does. With "all", all parts must
    hold data; with "any", one of them.
    """

    rule: Literal["topmost", "all", "any"]
    parts: tuple[MaskPart | Mask, ...]

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
        """The mask as its own virtual raster, because GDAL cannot nest pixel functions."""
        vrt = ET.Element("VRTDataset", rasterXSize=str(shape[1]), rasterYSize=str(shape[0]))
        self._add_band(vrt, shape)
        vrt[0].set("band", "1")
        return ET.tostring(vrt, encoding="unicode")


def number_text(value: float) -> str:
    """A number as text for GDAL; integers with all their digits."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**64 else repr(value)
