"""A raster's chosen bands as a raster of their own, so that a warp neither reads nor heeds the rest."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree as ET

from geochange.raster.reader import RasterInfo
from geochange.raster.sources.vrt import gdal_type


def subset_vrt(dataset: Any, info: RasterInfo, bands: tuple[int, ...]) -> str:
    """The text of a VRT over `bands`, then the alpha band if there is one; nodata and mask kept.

    A pixel is missing where every band of the file holds nodata, says GDAL's warper; of the bands
    that are compared it should say so.
    """
    # What is made in memory has another name there.
    path = dataset.name if dataset.name.startswith("/vsimem/") else info.path
    height, width = info.grid.shape
    vrt = ET.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    ET.SubElement(vrt, "SRS").text = info.grid.crs.to_wkt()
    ET.SubElement(vrt, "GeoTransform").text = ",".join(map(repr, dataset.transform.to_gdal()))
    chosen = [*bands, *([info.alpha] if info.alpha and info.alpha not in bands else [])]
    for number, band in enumerate(chosen, start=1):
        is_alpha = band == info.alpha and band not in bands
        _add_band(vrt, dataset, (path, info.nodata), number, band, is_alpha)
    if info.masked:
        mask = ET.SubElement(ET.SubElement(vrt, "MaskBand"), "VRTRasterBand", dataType="Byte")
        _add_source(mask, path, f"mask,{bands[0]}")
    return ET.tostring(vrt, encoding="unicode")


def _add_band(
    vrt: ET.Element,
    dataset: Any,
    of: tuple[str, float | None],
    number: int,
    source: int,
    is_alpha: bool,
) -> None:
    path, nodata = of
    kind = gdal_type(dataset.dtypes[source - 1])
    band = ET.SubElement(vrt, "VRTRasterBand", dataType=kind, band=str(number))
    if nodata is not None:
        ET.SubElement(band, "NoDataValue").text = repr(nodata)
    if is_alpha:
        ET.SubElement(band, "ColorInterp").text = "Alpha"
    _add_source(band, path, str(source))


def _add_source(band: ET.Element, path: str, source: str) -> None:
    simple = ET.SubElement(band, "SimpleSource")
    ET.SubElement(simple, "SourceFilename", relativeToVRT="0").text = path
    ET.SubElement(simple, "SourceBand").text = source
