"""A raster's chosen bands as a raster of their own, so that a warp neither reads nor heeds the rest."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from geochange.geo.raster import RasterInfo


def subset_vrt(dataset: Any, info: RasterInfo, bands: tuple[int, ...]) -> str:
    """The text of a VRT over `bands`, then the alpha band if there is one; nodata and mask kept.

    A pixel is missing where every band of the file holds nodata, says GDAL's warper; of the bands
    that are compared it should say so.
    """
    height, width = info.grid.shape
    vrt = ET.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    ET.SubElement(vrt, "SRS").text = dataset.crs.to_wkt()
    ET.SubElement(vrt, "GeoTransform").text = ",".join(map(repr, dataset.transform.to_gdal()))
    chosen = [*bands, *([info.alpha] if info.alpha and info.alpha not in bands else [])]
    for number, band in enumerate(chosen, start=1):
        is_alpha = band == info.alpha and band not in bands
        _add_band(vrt, dataset, info, number, band, is_alpha)
    if info.masked:
        mask = ET.SubElement(ET.SubElement(vrt, "MaskBand"), "VRTRasterBand", dataType="Byte")
        _add_source(mask, info.path, f"mask,{bands[0]}")
    return ET.tostring(vrt, encoding="unicode")


def _add_band(
    vrt: ET.Element, dataset: Any, info: RasterInfo, number: int, source: int, is_alpha: bool
) -> None:
    kind = _gdal_type(dataset.dtypes[source - 1])
    band = ET.SubElement(vrt, "VRTRasterBand", dataType=kind, band=str(number))
    if info.nodata is not None:
        ET.SubElement(band, "NoDataValue").text = repr(info.nodata)
    if is_alpha:
        ET.SubElement(band, "ColorInterp").text = "Alpha"
    _add_source(band, info.path, str(source))


def _gdal_type(dtype: str) -> str:
    """GDAL's name of a type: Byte, UInt16, Float32 ..."""
    return "Byte" if dtype == "uint8" else dtype.capitalize().replace("Uint", "UInt")


def _add_source(band: ET.Element, path: str, source: str) -> None:
    simple = ET.SubElement(band, "SimpleSource")
    ET.SubElement(simple, "SourceFilename", relativeToVRT="0").text = path
    ET.SubElement(simple, "SourceBand").text = source
