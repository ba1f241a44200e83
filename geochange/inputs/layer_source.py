"""How a date of a run is to be shown by another program: where GDAL finds it, and how bright."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from geochange.grid.tiling import Window
from geochange.qgis.project import Picture
from geochange.raster.aligned import AlignedRaster
from geochange.raster.scene.sampling import sample_windows

PERCENTILES = (2.0, 98.0)
"""Between which values a deep picture is shown; the run's own ends leave clouds their light, and
the ground none."""

WINDOWS = 16
"""Of the scene sample, so many are enough to show a picture."""


def layer_source_of(date: AlignedRaster) -> Picture:
    """A date in the bands of the run: 8 bits as they are, deeper numbers stretched by a sample."""
    bands = replace(date, bands=date.bands[:3])
    low, high = (None, None) if date.dtype == np.uint8 else _ends(bands)
    return Picture(_source(date), date.info.grid.crs, date.bands, low, high)


def _source(date: AlignedRaster) -> str:
    """The name by which GDAL opens a raster; rasterio has words of its own for those on servers."""
    path, files = date.info.path, date.info.files
    on_server = "://" in path and bool(files) and files[0].startswith("/vsi")
    return files[0] if on_server else path


def _ends(date: AlignedRaster) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """What is shown darkest and brightest of each band."""
    windows = sample_windows(date.grid.shape, len(date.bands))
    lost: set[Window] = set()
    with date.reader(lost, finely=False) as read:
        parts = [read(window) for window in windows[:: -(-len(windows) // WINDOWS)]]
    values = np.concatenate([pixels[valid] for pixels, valid in parts])
    if len(values) == 0:
        return (0.0,) * len(date.bands), (1.0,) * len(date.bands)
    low, high = np.percentile(values.astype(np.float64), PERCENTILES, axis=0).tolist()
    return tuple(low), tuple(high)
