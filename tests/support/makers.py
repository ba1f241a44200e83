"""Small synthetic data for tests: rasters, grids and chips of a few pixels."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from pyproj import CRS
from rasterio.enums import ColorInterp

from geochange.chip import Chip

UTM = CRS.from_epsg(32632)
LONLAT = CRS.from_epsg(4326)
NORTH_UP = Affine(10, 0, 500_000, 0, -10, 5_000_000)
"""Pixels of 10 m on the central meridian of UTM zone 32."""


def make_raster(
    path: Path,
    pixels: NDArray[Any],
    crs: CRS | None = UTM,
    transform: Affine = NORTH_UP,
    mask: NDArray[np.bool_] | None = None,
    **profile: Any,
) -> Path:
    """Write (height, width) or (height, width, band) pixels as a GeoTIFF.

    mask: stored inside the file, or beside it as .msk with `internal_mask=False`.
    profile: rasterio's profile (nodata, driver, ...), and `alpha=True` if the last band is alpha.
    """
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    internal, alpha = profile.pop("internal_mask", True), profile.pop("alpha", False)
    profile = {"driver": "GTiff", "dtype": pixels.dtype, **profile}
    if profile["driver"] == "GTiff":  # otherwise it takes a fourth 8-bit band as alpha
        profile |= {"photometric": "minisblack", "alpha": "no"}
    height, width, count = pixels.shape
    if crs is not None:
        profile |= {"crs": rasterio.crs.CRS.from_wkt(crs.to_wkt()), "transform": transform}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=internal),
        rasterio.open(path, "w", height=height, width=width, count=count, **profile) as raster,
    ):
        if alpha:
            raster.colorinterp = [*raster.colorinterp[:-1], ColorInterp.alpha]
        raster.write(np.moveaxis(pixels, -1, 0))
        if mask is not None:
            raster.write_mask(mask)
    return path


def noise(shape: tuple[int, ...], seed: int = 0, dtype: Any = np.uint8) -> NDArray[Any]:
    """Pixels between 1 and 200, so that 0 and 255 can have a meaning."""
    return np.random.default_rng(seed).integers(1, 201, shape).astype(dtype)


def ramp(shape: tuple[int, int], transform: Affine, per_metre: float = 0.1) -> NDArray[np.float32]:
    """A slope on the ground: 0.1 per metre from west to east and 0.05 from south to north.

    Bilinear resampling keeps it exactly on every grid, so the result of a warp is known.
    """
    rows, cols = np.indices(shape)
    x, y = transform @ (cols + 0.5, rows + 0.5)
    return np.asarray((x - 500_000) * per_metre + (y - 5_000_000) * per_metre / 2 + 200, np.float32)


def texture(size: int, bands: int = 3, seed: int = 0) -> NDArray[np.float32]:
    """(size, size, band) of smooth relief between 0 and 255, each band with its own grain."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices((size, size)) / size
    layers = [
        100 + 60 * np.sin(6 * rows + band) * np.cos(5 * cols - band) + rng.normal(0, 4, rows.shape)
        for band in range(bands)
    ]
    return np.stack(layers, axis=-1).astype(np.float32)


def make_chip(before: NDArray[Any], after: NDArray[Any], valid: Any = None) -> Chip:
    """A chip. All pixels are valid by default."""
    return Chip(before, after, np.ones(before.shape[:2], bool) if valid is None else valid)
