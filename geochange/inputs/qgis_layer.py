"""How QGIS shows a date of a run: its GDAL name and its stretch."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geochange.files.file_names import without_secrets
from geochange.grid.tiling import Window
from geochange.qgis.project import Picture
from geochange.raster.scene.sampling import sample_windows
from geochange.raster.warped_raster import WarpedRaster

PERCENTILES = (2.0, 98.0)
"""The percentiles of the display stretch. The stretch of the run would leave the ground too dark,
because it keeps detail in clouds."""

WINDOWS = 16
"""The number of windows of the scene sample that the display stretch uses."""


def qgis_picture_of(date: WarpedRaster) -> Picture:
    """A date with the bands of the run. 8-bit pixels are shown as they are, others stretched."""
    bands = replace(date, bands=date.bands[:3])
    low, high = (None, None) if date.dtype == np.uint8 else _stretch_ends(bands)
    return Picture(_source(date), date.info.grid.crs, date.bands, low, high)


def _source(date: WarpedRaster) -> str:
    """The GDAL name of a raster. The path of a remote raster may be a URL that only rasterio knows."""
    path, files = date.info.path, date.info.files
    on_server = "://" in path and bool(files) and files[0].startswith("/vsi")
    return without_secrets(files[0] if on_server else path)


def _stretch_ends(date: WarpedRaster) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The values that are shown darkest and brightest, by band."""
    windows = sample_windows(date.grid.shape, len(date.bands))
    lost: set[Window] = set()
    with date.reader(lost, finely=False) as read:
        parts = [read(window) for window in windows[:: -(-len(windows) // WINDOWS)]]
    values = np.concatenate([pixels[valid] for pixels, valid in parts])
    if len(values) == 0:
        return (0.0,) * len(date.bands), (1.0,) * len(date.bands)
    low, high = np.percentile(values.astype(np.float64), PERCENTILES, axis=0).tolist()
    return tuple(low), tuple(high)
