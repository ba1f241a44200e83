"""Declared size: refuses rasters whose header declares far more pixels than their files can hold."""

from __future__ import annotations

from geochange.errors import InputError
from geochange.raster.fingerprint import size_of_files
from geochange.raster.pair import RasterPair

PIXELS_PER_BYTE = 20_000
"""The limit. An empty raster in tiles of 256 px has 5,000 pixels per byte, real images 1 to 30."""

ALWAYS_ACCEPTED_PX = 2**25
"""Rasters up to this size are always accepted, because processing them takes seconds."""


def is_implausible_size(pixels: int, file_bytes: int) -> bool:
    """Whether files of `file_bytes` bytes are too small for this number of pixels."""
    return pixels > ALWAYS_ACCEPTED_PX and pixels > PIXELS_PER_BYTE * file_bytes


def refuse_implausible_size(pair: RasterPair) -> None:
    """Refuse a pair whose common area has more pixels than its files can hold. Raises InputError.

    Rasters on servers are not checked.
    """
    pixels = pair.grid.full_window.pixels
    sizes = [size_of_files(date.info) for date in (pair.before, pair.after)]
    if None in sizes:
        return
    held = sum(size or 0 for size in sizes)
    if is_implausible_size(pixels, held):
        raise InputError(
            f"{pair.before.info.path} and {pair.after.info.path}: {pixels:,} pixels in common, and "
            f"{held:,} bytes in the files behind them, so nearly all of it is empty; limit the run "
            "to the area with images (--aoi), or give the files themselves"
        )
