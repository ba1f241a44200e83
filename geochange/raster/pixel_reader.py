"""Reads pixels of an open raster, and where they hold data by `geochange.raster.valid_pixels`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window as RasterioWindow

from geochange.chip import Pixels
from geochange.grid.tiling import Window
from geochange.raster.band_metadata import common_dtype
from geochange.raster.reader import RasterInfo
from geochange.raster.valid_pixels import (
    Valid,
    valid_by_masks,
    valid_by_nodata,
    valid_by_value,
    zero_invalid,
)
from geochange.storage.traffic import Traffic, count


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
    valid &= valid_by_value(np.moveaxis(pixels, -1, 0), info.chosen(bands))
    return zero_invalid(pixels, valid), valid


def read_raw(
    dataset: Any,
    info: RasterInfo,
    bands: tuple[int, ...],
    window: Window,
    shape: tuple[int, int] | None = None,
) -> tuple[Pixels, Valid]:
    """As `read_window`, but with all values as in the file, valid as far as the file declares them."""
    source = RasterioWindow(window.col, window.row, window.width, window.height)
    how = {"window": source, **resample_options(shape)}
    chosen = info.chosen(bands)
    # The band axis is innermost, as in chips. GDAL writes it so directly, and tiles are cut by rows.
    read_shape = shape or (window.height, window.width)
    pixels = np.empty((*read_shape, len(bands)), common_dtype(chosen))
    by_band = np.moveaxis(pixels, -1, 0)
    read_bands(dataset, bands, by_band, how)
    count(Traffic(input_bytes=pixels.nbytes))
    valid = valid_by_nodata(by_band, chosen)
    alpha = None if info.alpha in bands else info.alpha
    return pixels, valid_by_masks(dataset, chosen, alpha, valid, how)


def read_bands(dataset: Any, bands: Sequence[int], out: NDArray[Any], how: dict[str, Any]) -> None:
    """Read bands into `out` (band, height, width), whose dtype holds the values of all bands."""
    how = {**how, "out_shape": None}
    if len({dataset.dtypes[band - 1] for band in bands}) == 1:
        dataset.read(list(bands), out=out, **how)
        return
    for band, plane in zip(bands, out, strict=True):  # rasterio reads one dtype at a time
        dataset.read(band, out=plane, **how)


def resample_options(shape: tuple[int, int] | None) -> dict[str, Any]:
    """Arguments for rasterio to read a mean at a smaller shape, through overviews if there are any."""
    return {} if shape is None else {"out_shape": shape, "resampling": Resampling.average}
