"""Reads an image of classes as it is stored: numbers, colours, or one band for each class."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from geochange.errors import InputError
from geochange.grid.tiling import Window
from geochange.raster.pictures.image import open_picture, window_options
from geochange.raster.pictures.label_image import MOST_BANDS
from geochange.raster.valid_pixels import Valid


@dataclass(frozen=True, slots=True)
class ClassImage:
    """An image of classes, or a window of one.

    bands: (band, height, width) without alpha. valid: (height, width), where it has values. palette:
    (number, 3) colours of a palette; None without one.
    """

    bands: NDArray[Any]
    valid: Valid
    palette: NDArray[np.uint8] | None

    @property
    def colours(self) -> NDArray[np.uint32] | None:
        """(height, width) colours as 0xRRGGBB; None for numbers."""
        if self.palette is not None:
            numbers = np.minimum(self.bands[0], len(self.palette) - 1)
            return np.asarray(packed(self.palette)[numbers], np.uint32)
        if len(self.bands) == 3 and self.bands.dtype == np.uint8:
            return packed(np.moveaxis(self.bands, 0, -1))
        return None


def packed(colours: NDArray[np.uint8]) -> NDArray[np.uint32]:
    """(..., 3) colours as 0xRRGGBB."""
    red, green, blue = np.moveaxis(colours.astype(np.uint32), -1, 0)
    return np.asarray(red << 16 | green << 8 | blue, np.uint32)


def read_class_image(path: Path, window: Window | None = None) -> ClassImage:
    """An image of classes. Raises InputError if it cannot hold any."""
    how = window_options(window)
    with open_picture(path, whole=window is None) as dataset:
        kinds = dataset.colorinterp
        alphas = [number for number, kind in enumerate(kinds, 1) if kind == ColorInterp.alpha]
        numbers = [number for number in dataset.indexes if number not in alphas]
        if not 1 <= len(numbers) <= MOST_BANDS:
            raise InputError(
                f"{path}: has {len(numbers):,} bands, which are no classes; give one band of numbers"
            )
        bands = np.asarray(dataset.read(numbers, **how))
        valid = np.ones(bands.shape[1:], np.bool_)
        if bands.dtype.kind == "f":
            valid &= np.isfinite(bands).all(axis=0)
        if alphas:
            valid &= dataset.read(alphas[0], **how) > 0
        palette = dataset.colormap(1) if kinds[0] == ColorInterp.palette else None
    return ClassImage(bands, valid, None if palette is None else _palette_array(palette))


def _palette_array(palette: dict[int, tuple[int, ...]]) -> NDArray[np.uint8]:
    colours = np.zeros((max(palette) + 1, 3), np.uint8)
    for number, colour in palette.items():
        colours[number] = colour[:3]
    return colours
