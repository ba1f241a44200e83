"""Files with several rasters, or of other formats than GeoTIFF: netCDF, Sentinel-2 products."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from makers import noise
from rasterio.transform import from_origin
from scipy.io import netcdf_file

SHAPE = (20, 30)
LONLAT_UNITS = ("degrees_north", "degrees_east")


def make_netcdf(
    path: Path,
    variables: tuple[str, ...] = ("red",),
    axes: tuple[str, str] = ("lat", "lon"),
    units: tuple[str, str] | None = LONLAT_UNITS,
    first: tuple[float, float] = (45.0, 9.0),
    attributes: Mapping[str, Any] | None = None,
) -> Path:
    """Variables on two axes that run down and right from `first`, with steps of 0.01 per pixel.

    attributes: of both axes, by name, with one value for each axis.
    """
    with netcdf_file(path, "w", version=2) as file:
        file.Conventions = "CF-1.6"
        for number, (axis, size) in enumerate(zip(axes, SHAPE, strict=True)):
            file.createDimension(axis, size)
            values = file.createVariable(axis, "f8", (axis,))
            values[:] = first[number] + (-0.01, 0.01)[number] * np.arange(size)
            if units is not None:
                values.units = units[number]
            for name, both in (attributes or {}).items():
                setattr(values, name, both[number])
        for number, name in enumerate(variables):
            variable = file.createVariable(name, "f4", axes)
            variable[:] = noise(SHAPE, number).astype("float32")
    return path


PRODUCT = "S2A_MSIL2A_20240101T100000_N0510_R008_T32TMR_20240101T120000"
_TILE, _IMAGE = "L2A_T32TMR_A044000_20240101T100000", "T32TMR_20240101T100000"
BANDS = ("B02", "B03", "B04", "B08")


def make_sentinel2(folder: Path) -> Path:
    """A Sentinel-2 product with one granule and bands of 10 m, as small as GDAL accepts. Returns its
    .SAFE folder."""
    product = folder / f"{PRODUCT}.SAFE"
    granule = product / "GRANULE" / _TILE
    images = granule / "IMG_DATA" / "R10m"
    images.mkdir(parents=True)
    for number, band in enumerate(BANDS):
        with rasterio.open(
            images / f"{_IMAGE}_{band}_10m.jp2",
            "w",
            driver="JP2OpenJPEG",
            height=64,
            width=64,
            count=1,
            dtype="uint16",
            crs="EPSG:32632",
            transform=from_origin(4e5, 5e6, 10, 10),
            QUALITY=100,
            REVERSIBLE="YES",
        ) as raster:
            raster.write(noise((64, 64), number, np.uint16), 1)
    files = "".join(
        f"<IMAGE_FILE>GRANULE/{_TILE}/IMG_DATA/R10m/{_IMAGE}_{band}_10m</IMAGE_FILE>"
        for band in BANDS
    )
    space = "https://psd-14.sentinel2.eo.esa.int/PSD"
    (product / "MTD_MSIL2A.xml").write_text(
        f'<n1:Level-2A_User_Product xmlns:n1="{space}/User_Product_Level-2A.xsd">'
        f"<n1:General_Info><Product_Info><PRODUCT_URI>{PRODUCT}.SAFE</PRODUCT_URI>"
        "<PROCESSING_LEVEL>Level-2A</PROCESSING_LEVEL><PRODUCT_TYPE>S2MSI2A</PRODUCT_TYPE>"
        "<Query_Options><PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT></Query_Options>"
        "<Product_Organisation><Granule_List>"
        f'<Granule granuleIdentifier="S2A_OPER_MSI_L2A_TL_X_{_TILE[4:]}" imageFormat="JPEG2000">'
        f"{files}</Granule></Granule_List></Product_Organisation></Product_Info>"
        "<Product_Image_Characteristics/></n1:General_Info></n1:Level-2A_User_Product>"
    )
    (granule / "MTD_TL.xml").write_text(
        f'<n1:Level-2A_Tile_ID xmlns:n1="{space}/S2_PDI_Level-2A_Tile_Metadata.xsd">'
        "<n1:General_Info/><n1:Geometric_Info><Tile_Geocoding>"
        "<HORIZONTAL_CS_CODE>EPSG:32632</HORIZONTAL_CS_CODE>"
        '<Size resolution="10"><NROWS>64</NROWS><NCOLS>64</NCOLS></Size>'
        '<Geoposition resolution="10"><ULX>400000</ULX><ULY>5000000</ULY><XDIM>10</XDIM>'
        "<YDIM>-10</YDIM></Geoposition></Tile_Geocoding></n1:Geometric_Info></n1:Level-2A_Tile_ID>"
    )
    return product
