"""Reads pixels of an open raster, and decides which of them hold data.

A pixel is missing if any of these rules holds for the compared bands:

- Not a measurement. A float band holds NaN, an infinity, or a value of 2**63 or more. Fills such as
  -3.4e38, 9.97e36 and 1e20 are never data, whatever the file declares.
- Nodata of a signed or float band. One such band holds its own nodata value, or a fill that was
  found in the scene.
- Nodata of the unsigned bands. All unsigned bands with a nodata value hold their own value. The
  values may differ. A single band with 0 or 255 may also be dark or bright ground. Unsigned bands
  without a nodata value are ignored.
- Mask. The mask of one of the bands, shared or its own, is 0.
- Alpha. The alpha band is 0, unless it is compared as data itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from geochange.chip import Pixels
from geochange.grid.tiling import Window
from geochange.raster.band_info import BandInfo, common_dtype
from geochange.raster.reader import RasterInfo

Valid = NDArray[np.bool_]

BEYOND = 2.0**63
"""Values from here on are fills. No sensor measures them, and float32 cannot square larger ones."""


def read_window(
    dataset: Any,
    info: RasterInfo,
    bands: tuple[int, ...],
    window: Window,
    shape: tuple[int, int] | None = None,
) -> tuple[Pixels, Valid]:
    """Pixels (height, width, band) and validity (height, width) of a window inside the dataset.

    Pixels have the common dtype of the bands, and are 0 where there is no data.
    shape: (rows, cols) to resample to; each pixel is then a mean.
    """
    pixels, valid = read_raw(dataset, info, bands, window, shape)
    valid &= measured(np.moveaxis(pixels, -1, 0), info.chosen(bands))
    return cleared(pixels, valid), valid


def read_raw(
    dataset: Any,
    info: RasterInfo,
    bands: tuple[int, ...],
    window: Window,
    shape: tuple[int, int] | None = None,
) -> tuple[Pixels, Valid]:
    """As `read_window`, but with all values as in the file, valid as far as the file declares them."""
    source = RasterioWindow(window.col, window.row, window.width, window.height)
    how = {"window": source, **thinning(shape)}
    chosen = info.chosen(bands)
    # The band axis is innermost, as in chips. GDAL writes it so directly, and tiles are cut by rows.
    read_shape = shape or (window.height, window.width)
    pixels = np.empty((*read_shape, len(bands)), common_dtype(chosen))
    by_band = np.moveaxis(pixels, -1, 0)
    read_bands(dataset, bands, by_band, how)
    valid = declared(by_band, chosen)
    alpha = None if info.alpha in bands else info.alpha
    return pixels, unmasked(dataset, chosen, alpha, valid, how)


def read_bands(dataset: Any, bands: Sequence[int], out: NDArray[Any], how: dict[str, Any]) -> None:
    """Read bands into `out` (band, height, width), whose dtype holds the values of all bands."""
    how = {**how, "out_shape": None}
    if len({dataset.dtypes[band - 1] for band in bands}) == 1:
        dataset.read(list(bands), out=out, **how)
        return
    for band, plane in zip(bands, out, strict=True):  # rasterio reads one dtype at a time
        dataset.read(band, out=plane, **how)


def thinning(shape: tuple[int, int] | None) -> dict[str, Any]:
    """Arguments for rasterio to read a mean at a smaller shape, through overviews if there are any."""
    return {} if shape is None else {"out_shape": shape, "resampling": Resampling.average}


def declared(by_band: NDArray[Any], bands: Sequence[BandInfo]) -> Valid:
    """Where (band, height, width) pixels hold data by NaN and nodata values; see the rules above."""
    valid = np.ones(by_band.shape[1:], np.bool_)
    dark: Valid | None = None
    for plane, band in zip(by_band, bands, strict=True):
        if band.dtype.kind == "f":
            valid &= ~np.isnan(plane)
        if not band.is_unsigned:
            for mark in band.marks:
                valid &= plane != plane.dtype.type(mark)
        elif band.marks:
            missing = plane == plane.dtype.type(band.marks[0])
            dark = missing if dark is None else dark & missing
    return valid if dark is None else valid & ~dark


def measured(by_band: NDArray[Any], bands: Sequence[BandInfo]) -> Valid:
    """Where no float band of (band, height, width) pixels holds NaN or a value of BEYOND or more."""
    valid = np.ones(by_band.shape[1:], np.bool_)
    for plane, band in zip(by_band, bands, strict=True):
        if band.dtype.kind == "f":
            with np.errstate(over="ignore"):  # in float16 the limit is an infinity
                valid &= np.abs(plane) < plane.dtype.type(BEYOND)
    return valid


def unmasked(
    dataset: Any, bands: Sequence[BandInfo], alpha: int | None, valid: Valid, how: dict[str, Any]
) -> Valid:
    """`valid`, and also valid in the masks of the bands and the alpha band."""
    for mask in sorted({band.mask for band in bands if band.mask is not None}):
        valid &= dataset.read_masks(mask, **how) > 0
    if alpha is not None:
        valid &= dataset.read(alpha, **how) > 0
    return valid


def cleared(pixels: Pixels, valid: Valid) -> Pixels:
    """The same array (height, width, band), set to 0 where it is not valid, so that no fill overflows."""
    if not valid.all():
        pixels[~valid] = 0
    return pixels
