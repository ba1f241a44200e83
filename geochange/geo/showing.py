"""How a date of a run is to be shown by another program: where GDAL finds it, and how bright."""

from __future__ import annotations

import numpy as np

from geochange.geo.align import Date
from geochange.geo.project import Picture
from geochange.geo.radiometry import Stretch, spread
from geochange.geo.sampling import sample_windows
from geochange.geo.tiling import Window


def picture_of(date: Date, stretch: Stretch | None) -> Picture:
    """A date in its bands, with the run's own stretch; without one, 8 bits as they are.

    Deeper numbers that the run took as they are, too, are stretched by a sample of them.
    """
    if stretch is None and date.info.dtype != np.uint8:
        stretch = _sampled(date)
    low, high = (None, None) if stretch is None else (stretch.low, stretch.high)
    return Picture(_source(date), date.info.grid.crs, date.bands, low, high)


def _source(date: Date) -> str:
    """The name by which GDAL opens a raster; rasterio has words of its own for those on servers."""
    path, files = date.info.path, date.info.files
    on_server = "://" in path and bool(files) and files[0].startswith("/vsi")
    return files[0] if on_server else path


def _sampled(date: Date) -> Stretch:
    lost: set[Window] = set()
    with date.reader(lost, finely=False) as read:
        windows = [read(window) for window in sample_windows(date.grid.shape, len(date.bands))]
    return spread(np.concatenate([pixels[valid] for pixels, valid in windows]))
