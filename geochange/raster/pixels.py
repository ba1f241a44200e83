"""Pixels: a window of an open raster, and which of it hold data."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from geochange.chip import Pixels
from geochange.grid.tiling import Window
from geochange.raster.reader import RasterInfo

Valid = NDArray[np.bool_]


def read_window(
    dataset: Any,
    info: RasterInfo,
    bands: tuple[int, ...],
    window: Window,
    shape: tuple[int, int] | None = None,
) -> tuple[Pixels, Valid]:
    """Pixels (height, width, band) and validity (height, width) of a window inside the dataset.

    shape: (rows, cols) to thin it out to, each pixel the mean of those it stands for.
    """
    source = RasterioWindow(window.col, window.row, window.width, window.height)
    how = {"window": source, **thinning(shape)}
    # Bands innermost, as chips have them: GDAL writes them there, and tiles are cut by rows.
    read_shape = shape or (window.height, window.width)
    pixels = np.empty((*read_shape, len(bands)), info.dtype)
    by_band = np.moveaxis(pixels, -1, 0)
    dataset.read(list(bands), out=by_band, **{**how, "out_shape": None})
    valid = validity(by_band, info)
    if info.alpha is not None and info.alpha not in bands:
        valid &= dataset.read(info.alpha, **how) > 0
    elif info.masked:
        valid &= dataset.read_masks(bands[0], **how) > 0
    return pixels, valid


def thinning(shape: tuple[int, int] | None) -> dict[str, Any]:
    """How rasterio is told to read fewer pixels than there are; overviews serve where there are any."""
    return {} if shape is None else {"out_shape": shape, "resampling": Resampling.average}


def validity(pixels: NDArray[Any], info: RasterInfo) -> Valid:
    """Where (band, height, width) pixels hold data, by nodata value and NaN."""
    valid = np.ones(pixels.shape[1:], dtype=np.bool_)
    if pixels.dtype.kind == "f":
        valid &= np.isfinite(pixels).all(axis=0)
    if info.nodata is not None and not np.isnan(info.nodata):
        missing = pixels == info.nodata
        valid &= ~(missing.all(axis=0) if info.sentinel is None else missing.any(axis=0))
    return valid
