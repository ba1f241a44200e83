"""Writing a picture: 8-bit bands as a tiled GeoTIFF that every GIS opens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

from geochange.geo.grid import Grid
from geochange.geo.raster import gdal_environment


def write_picture(path: Path, pixels: NDArray[np.uint8], grid: Grid) -> None:
    """Write (height, width, band) uint8 pixels of `grid`."""
    profile = {
        "driver": "GTiff",
        "dtype": "uint8",
        "height": grid.shape[0],
        "width": grid.shape[1],
        "count": pixels.shape[2],
        "crs": grid.crs.to_wkt(),
        "transform": grid.transform,
        "tiled": True,
        "compress": "deflate",
        "predictor": 2,
        "photometric": "rgb",
    }
    with gdal_environment(), rasterio.open(path, "w", **profile) as raster:
        raster.write(np.moveaxis(pixels, -1, 0))
