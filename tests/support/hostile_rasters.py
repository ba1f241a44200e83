"""Rasters that claim more than their files hold, each by a few lines."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import rasterio
from makers import NORTH_UP, UTM, make_raster

GEOREFERENCE = (
    f"<SRS>{UTM.to_string()}</SRS><GeoTransform>500000, 10, 0, 5000000, 0, -10</GeoTransform>"
)


def vrt_of_nothing(path: Path, side: int = 44_721, bands: int = 3) -> Path:
    """A virtual raster without a source."""
    body = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"/>' for band in range(1, bands + 1)
    )
    path.write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}">{GEOREFERENCE}{body}</VRTDataset>'
    )
    return path


def vrt_of_little(path: Path, source: Path, side: int = 44_721) -> Path:
    """A virtual raster that stretches a small one over all of it."""
    with rasterio.open(source) as raster:
        height, width, bands = raster.height, raster.width, raster.count
    body = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}"><SimpleSource>'
        f"<SourceFilename>{source}</SourceFilename><SourceBand>{band}</SourceBand>"
        f'<SrcRect xOff="0" yOff="0" xSize="{width}" ySize="{height}"/>'
        f'<DstRect xOff="0" yOff="0" xSize="{side}" ySize="{side}"/>'
        "</SimpleSource></VRTRasterBand>"
        for band in range(1, bands + 1)
    )
    path.write_text(
        f'<VRTDataset rasterXSize="{side}" rasterYSize="{side}">{GEOREFERENCE}{body}</VRTDataset>'
    )
    return path


def sparse(path: Path, side: int = 1_000_000, tile: int = 65_520, bands: int = 3) -> Path:
    """A GeoTIFF without a single tile in it."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=side,
        width=side,
        count=bands,
        dtype="uint8",
        crs=rasterio.crs.CRS.from_wkt(UTM.to_wkt()),
        transform=NORTH_UP,
        tiled=True,
        blockxsize=tile,
        blockysize=tile,
        sparse_ok=True,
        bigtiff="yes",
    ):
        pass
    return path


def one_strip(path: Path, side: int = 20_000, bands: int = 1) -> Path:
    """A GeoTIFF whose pixels lie in one compressed strip: to read one is to unpack all."""
    small = make_raster(
        path, np.zeros((8, 8, bands), np.uint8), compress="deflate", blockysize=8, interleave="pixel"
    )
    data = bytearray(small.read_bytes())
    packer = zlib.compressobj(1)
    row = bytes(side * bands)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    place = len(data)
    change = {256: side, 257: side, 278: side, 273: place, 279: len(packed)}
    start = struct.unpack_from("<I", data, 4)[0]
    for number in range(struct.unpack_from("<H", data, start)[0]):
        entry = start + 2 + 12 * number
        tag = struct.unpack_from("<H", data, entry)[0]
        if tag in change:
            struct.pack_into("<HII", data, entry + 2, 4, 1, change[tag])
    path.write_bytes(bytes(data) + packed)
    return path


def many_bands(path: Path, bands: int = 60_000, side: int = 4) -> Path:
    """A small GeoTIFF of very many bands."""
    return make_raster(path, np.zeros((side, side, bands), np.uint8), interleave="band")
