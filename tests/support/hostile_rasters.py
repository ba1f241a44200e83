"""Makers of rasters that claim more than their files hold."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import rasterio
from makers import NORTH_UP, UTM

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
    """A virtual raster that enlarges a small raster."""
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
    """A GeoTIFF without a single tile."""
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
    """A GeoTIFF with one compressed strip, so that reading a pixel decodes all pixels."""
    packer = zlib.compressobj(1)
    row = bytes(side * bands)
    packed = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    return _tiff(path, (side, side, bands), packed, deflated=True)


def many_bands(path: Path, bands: int = 60_000, side: int = 4) -> Path:
    """A small GeoTIFF of very many bands, pixel by pixel."""
    return _tiff(path, (side, side, bands), bytes(range(200)) * (side * side * bands // 200))


def _tiff(path: Path, shape: tuple[int, int, int], data: bytes, deflated: bool = False) -> Path:
    """A GeoTIFF of bytes in one strip, with interleaved bands."""
    height, width, bands = shape
    directory = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 1, 3072, 0, 1, UTM.to_epsg())
    entries: dict[int, tuple[str, tuple[float, ...]]] = {
        256: ("I", (width,)),
        257: ("I", (height,)),
        258: ("H", (8,) * bands),
        259: ("H", (8 if deflated else 1,)),
        262: ("H", (1,)),
        273: ("I", (8,)),
        277: ("H", (bands,)),
        278: ("I", (height,)),
        279: ("I", (len(data),)),
        284: ("H", (1,)),
        33550: ("d", (10.0, 10.0, 0.0)),
        33922: ("d", (0.0, 0.0, 0.0, 500_000.0, 5_000_000.0, 0.0)),
        34735: ("H", directory),
    }
    kinds = {"H": 3, "I": 4, "d": 12}
    tables, listed = b"", b""
    start = 8 + len(data)
    for tag, (kind, values) in entries.items():
        packed = struct.pack(f"<{len(values)}{kind}", *values)
        held = (
            packed.ljust(4, b"\0") if len(packed) <= 4 else struct.pack("<I", start + len(tables))
        )
        tables += b"" if len(packed) <= 4 else packed
        listed += struct.pack("<HHI", tag, kinds[kind], len(values)) + held
    at = start + len(tables)
    head = b"II*\0" + struct.pack("<I", at)
    path.write_bytes(
        head + data + tables + struct.pack("<H", len(entries)) + listed + struct.pack("<I", 0)
    )
    return path


def png_bomb(path: Path, side: int = 50_000) -> Path:
    """A PNG of very many black pixels in few bytes: one bit each, well compressed."""
    packer = zlib.compressobj(9)
    row = bytes(1 + side // 8)
    data = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()

    def chunk(name: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        )

    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    )
    return path


def tile_beyond(path: Path, side: int = 64, tile: int = 32_768) -> Path:
    """A small GeoTIFF whose single tile is a thousand times larger than the image."""
    return sparse(path, side, tile, bands=3)
