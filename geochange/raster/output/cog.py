"""Writes the probability raster as a cloud-optimised GeoTIFF (COG), block by block."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS

# GDAL's own errors. rasterio's copy raises them, but they have no public name.
from rasterio._err import CPLE_BaseError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.shutil import copy
from rasterio.windows import Window

from geochange.files.atomic import as_output_error, atomic_driver_path
from geochange.files.checksummed import remove
from geochange.grid.probability_bytes import NODATA
from geochange.qgis.style import probability_colormap
from geochange.raster.reader import PROBABILITY_BAND, gdal_environment

Block = tuple[int, int, NDArray[np.uint8]]
"""Row and column of a block's upper left pixel, and its pixels (height, width)."""

WRITE_CACHE_MB: Final = 32
"""The size of GDAL's cache for writing. Each pixel is written once, so more would not help."""

COG_TILE_PX: Final = 512
"""The tile size of the file in pixels. Overviews end when the raster fits into one tile."""


def write_cog(
    blocks: Iterable[Block],
    path: Path,
    shape: tuple[int, int],
    crs: CRS,
    transform: Affine,
    scratch: Path,
) -> None:
    """Write blocks of uint8 probabilities (0 to 254 = 0 to 100 %, NODATA) as a COG with colours.

    blocks: in any order and of any size, without overlaps. Pixels without a block are nodata.
    shape: (height, width) of the raster in pixels.
    scratch: an existing folder with room for 1.4 bytes per pixel.

    Memory holds one block and GDAL's cache, whatever the size of the raster. The file is written
    atomically. Raises OutputError if it cannot be written, and the errors of `blocks`.
    """
    plain = scratch / f"{path.name}.plain.tif"
    remove(plain)  # from a killed run
    try:
        with gdal_environment(WRITE_CACHE_MB):
            with _as_output_error(path):
                _create_plain(plain, shape, crs, transform)
            total = _fill(plain, blocks, path)
            with _as_output_error(path), atomic_driver_path(path) as part:
                _add_overviews_then_colors(plain, shape)
                _copy_as_cog(plain, part)
                _verify_complete(part, total)
    finally:
        plain.unlink(missing_ok=True)


def _as_output_error(path: Path) -> AbstractContextManager[None]:
    cure = "check the free space there and in the work folder"
    return as_output_error(path, (RasterioError, CPLE_BaseError), cure)


def _create_plain(path: Path, shape: tuple[int, int], crs: CRS, transform: Affine) -> None:
    """Create a tiled GeoTIFF without compression. Blocks may cut tiles without leaving unused space."""
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        height=shape[0],
        width=shape[1],
        count=1,
        dtype="uint8",
        nodata=NODATA,
        crs=crs,
        transform=transform,
        tiled=True,
        blockxsize=COG_TILE_PX,
        blockysize=COG_TILE_PX,
        sparse_ok=True,
        bigtiff="IF_SAFER",
    ) as raster:
        raster.set_band_description(1, PROBABILITY_BAND)


def _fill(plain: Path, blocks: Iterable[Block], path: Path) -> int:
    """Write the blocks into the plain raster. Returns the expected sum of all its pixels."""
    with rasterio.open(plain, "r+") as raster:
        total: int = NODATA * raster.height * raster.width
        for row, column, pixels in blocks:
            window = Window(column, row, pixels.shape[1], pixels.shape[0])
            with _as_output_error(path):
                raster.write(pixels, 1, window=window)
            total += _sum(pixels) - NODATA * pixels.size
    return total


def _add_overviews_then_colors(plain: Path, shape: tuple[int, int]) -> None:
    """Add overviews with mean probabilities, and then the colour table.

    The order matters. For a band with a palette GDAL uses nearest neighbours, or averages colours and
    takes the nearest entry.
    """
    levels = ((max(shape) - 1) // COG_TILE_PX).bit_length()
    with rasterio.open(plain, "r+") as raster:
        if levels:
            raster.build_overviews([2**level for level in range(1, levels + 1)], Resampling.average)
    with rasterio.open(plain, "r+") as raster:
        raster.write_colormap(1, probability_colormap())


def _copy_as_cog(plain: Path, path: Path) -> None:
    """Reorder and compress with DEFLATE, which all readers of TIFF support. ZSTD saves less than 1 %."""
    copy(
        plain,
        path,
        driver="COG",
        BLOCKSIZE=str(COG_TILE_PX),
        OVERVIEWS="FORCE_USE_EXISTING",
        COMPRESS="DEFLATE",
        PREDICTOR="YES",
        BIGTIFF="IF_SAFER",
        NUM_THREADS="ALL_CPUS",
    )


def _verify_complete(path: Path, total: int) -> None:
    """Read all pixels back. GDAL does not report a full disk when it closes a file."""
    with rasterio.open(path) as raster:
        windows = (window for _, window in raster.block_windows(1))
        found = sum(_sum(raster.read(1, window=window)) for window in windows)
    if found != total:
        raise OSError("not all of it arrived")


def _sum(pixels: NDArray[np.uint8]) -> int:
    """The sum of all pixels. Sums of a row fit into 32 bits, which is twice as fast as 64."""
    return int(pixels.sum(axis=1, dtype=np.uint32).sum(dtype=np.int64))
