"""Valid pixels: which pixels of a raster hold data, by nodata values, masks and alpha.

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

from geochange.chip import Pixels
from geochange.raster.band_metadata import BandInfo

Valid = NDArray[np.bool_]

FILL_LIMIT = 2.0**63
"""Values from here on are fills. No sensor measures them, and float32 cannot square larger ones."""


def valid_by_nodata(by_band: NDArray[Any], bands: Sequence[BandInfo]) -> Valid:
    """Where (band, height, width) pixels hold data by NaN and nodata values; see the rules above."""
    valid = np.ones(by_band.shape[1:], np.bool_)
    dark: Valid | None = None
    for plane, band in zip(by_band, bands, strict=True):
        if band.dtype.kind == "f":
            valid &= ~np.isnan(plane)
        if not band.is_unsigned:
            for mark in band.missing_values:
                valid &= plane != plane.dtype.type(mark)
        elif band.missing_values:
            missing = plane == plane.dtype.type(band.missing_values[0])
            dark = missing if dark is None else dark & missing
    return valid if dark is None else valid & ~dark


def valid_by_value(by_band: NDArray[Any], bands: Sequence[BandInfo]) -> Valid:
    """Where no float band of (band, height, width) pixels holds NaN or a value of FILL_LIMIT or more."""
    valid = np.ones(by_band.shape[1:], np.bool_)
    for plane, band in zip(by_band, bands, strict=True):
        if band.dtype.kind == "f":
            with np.errstate(over="ignore"):  # in float16 the limit is an infinity
                valid &= np.abs(plane) < plane.dtype.type(FILL_LIMIT)
    return valid


def valid_by_masks(
    dataset: Any, bands: Sequence[BandInfo], alpha: int | None, valid: Valid, how: dict[str, Any]
) -> Valid:
    """`valid`, and also valid in the masks of the bands and the alpha band."""
    for mask in sorted({band.mask for band in bands if band.mask is not None}):
        valid &= dataset.read_masks(mask, **how) > 0
    if alpha is not None:
        valid &= dataset.read(alpha, **how) > 0
    return valid


def zero_invalid(pixels: Pixels, valid: Valid) -> Pixels:
    """The same array (height, width, band), set to 0 where it is not valid, so that no fill overflows."""
    if not valid.all():
        pixels[~valid] = 0
    return pixels


def valid_values(pixels: Pixels, valid: Valid) -> NDArray[Any]:
    """`pixels[valid]`: (pixel,) or (pixel, band). Most windows are valid as a whole, which is quicker."""
    return pixels.reshape(-1, *pixels.shape[2:]) if valid.all() else pixels[valid]
