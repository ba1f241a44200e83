"""Labels for tests: one mask, saved in all common ways."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from makers import make_raster
from numpy.typing import NDArray
from PIL import Image
from rasterio.enums import ColorInterp

SHAPE = (24, 40)
MASK = np.zeros(SHAPE, np.uint8)
MASK[5:13, 8:19] = 1
"""The true mask: a square of change."""

ON, OFF = (0, 0, 0, 255), (255, 255, 255, 255)
GREEN = {0: ON, 1: (0, 255, 0, 255)}
RED_ON_WHITE = {0: OFF, 1: (255, 0, 0, 255)}
TURNED = {0: OFF, 1: ON}

Write = Callable[[Path], Path]


def grey(white: float, dtype: str, none: float = 0, **profile: Any) -> Write:
    """One band with two values."""
    label = np.where(MASK == 1, np.array(white, dtype), np.array(none, dtype))
    return lambda path: make_raster(path, label, **profile)


def layers(*parts: NDArray[Any], alpha: bool = False, **profile: Any) -> Write:
    """Several bands; the last is alpha if `alpha` is set."""
    label = np.stack(parts, axis=-1)
    return lambda path: make_raster(path, label, alpha=alpha, **profile)


def palette(colours: Mapping[int, tuple[int, ...]], number: int = 1, **profile: Any) -> Write:
    """Numbers of a palette."""

    def write(path: Path) -> Path:
        make_raster(path, MASK * np.uint8(number), **profile)
        with rasterio.open(path, "r+") as raster:
            raster.colorinterp = [ColorInterp.palette]
            raster.write_colormap(1, colours)
        return path

    return write


def bits(photometric: str, number: int, count: int) -> Write:
    """A TIFF with few bits per pixel."""

    def write(path: Path) -> Path:
        from makers import NORTH_UP, UTM

        height, width = SHAPE
        profile = {"driver": "GTiff", "height": height, "width": width, "count": 1}
        with rasterio.open(
            path,
            "w",
            **profile,
            dtype="uint8",
            nbits=count,
            photometric=photometric,
            crs=rasterio.crs.CRS.from_wkt(UTM.to_wkt()),
            transform=NORTH_UP,
        ) as raster:
            raster.write(MASK * np.uint8(number), 1)
        return path

    return write


WHITE = MASK * np.uint8(255)
FULL = np.full(SHAPE, 255, np.uint8)

TIFFS: Mapping[str, Write] = {
    "0 and 1": grey(1, "uint8"),
    "0 and 255": grey(255, "uint8"),
    "nodata 0": grey(1, "uint8", nodata=0),
    "255, nodata 0": grey(255, "uint8", nodata=0),
    "16 bits, 1": grey(1, "uint16"),
    "16 bits, 255": grey(255, "uint16"),
    "16 bits, white": grey(65535, "uint16"),
    "32 bits, white": grey(2**32 - 1, "uint32"),
    "signed 8 bits": grey(1, "int8"),
    "signed 16 bits": grey(1, "int16"),
    "signed 32 bits": grey(1, "int32"),
    "float": grey(1, "float32"),
    "float, white": grey(255, "float32"),
    "double": grey(1, "float64"),
    "float, NaN nodata": grey(1, "float32", nodata=np.nan),
    "1 bit": bits("minisblack", 1, 1),
    "1 bit, 0 white": bits("miniswhite", 1, 1),
    "8 bits, 0 white": bits("miniswhite", 1, 8),
    "2 bits, white": bits("minisblack", 3, 2),
    "2 bits, 1": bits("minisblack", 1, 2),
    "4 bits, white": bits("minisblack", 15, 4),
    "palette green": palette(GREEN),
    "palette red on white": palette(RED_ON_WHITE),
    "palette turned": palette(TURNED),
    "palette to 255": palette({0: ON, 255: (255, 0, 0, 255)}, 255),
    "palette, nodata 0": palette(GREEN, nodata=0),
    "three equal bands": layers(WHITE, WHITE, WHITE),
    "three equal bands of 1": layers(MASK, MASK, MASK),
    "four bands, opaque": layers(WHITE, WHITE, WHITE, FULL, alpha=True),
    "grey and alpha": layers(MASK, FULL, alpha=True),
    "drawn on transparent ground": layers(WHITE, WHITE, WHITE, WHITE, alpha=True),
    "only change, nodata": grey(1, "float32", none=-9999, nodata=-9999),
    "only change, unsigned nodata": grey(1, "uint8", none=7, nodata=7),
    "only change, mask": lambda path: make_raster(path, MASK, mask=MASK == 1),
    "with a mask": lambda path: make_raster(path, MASK, mask=MASK < 2),
    "JPEG in TIFF": grey(255, "uint8", compress="jpeg"),
    "JPEG in TIFF, three bands": layers(WHITE, WHITE, WHITE, compress="jpeg"),
    "WebP in TIFF": layers(WHITE, WHITE, WHITE, compress="webp"),
}
"""Labels on the grid of makers.NORTH_UP, written to a .tif."""


def picture(pixels: NDArray[Any], mode: str | None = None, **options: Any) -> Write:
    """Written by PIL, converted to a mode if one is given."""

    def write(path: Path) -> Path:
        image = Image.fromarray(pixels)
        (image if mode is None else image.convert(mode)).save(path, **options)
        return path

    return write


def numbered(colours: list[int], **options: Any) -> Write:
    """A PNG of numbers 0 and 1 with a palette."""

    def write(path: Path) -> Path:
        image = Image.fromarray(MASK).convert("P")
        image.putdata(MASK.ravel().tolist())
        image.putpalette(colours)
        image.save(path, **options)
        return path

    return write


COLOURED = np.dstack([WHITE] * 3)
PICTURES: Mapping[str, tuple[str, Write]] = {
    "grey PNG": (".png", picture(WHITE)),
    "PNG of 1": (".png", picture(MASK)),
    "1 bit PNG": (".png", picture(MASK == 1)),
    "16 bit PNG": (".png", picture(MASK * np.uint16(65535))),
    "grey and alpha PNG": (".png", picture(np.dstack([WHITE, FULL]))),
    "colour PNG": (".png", picture(COLOURED)),
    "colour and alpha PNG": (".png", picture(np.dstack([COLOURED, FULL]))),
    "drawn on transparent ground": (".png", picture(np.dstack([COLOURED, WHITE]))),
    "PNG with transparent black": (".png", picture(WHITE, transparency=0)),
    "palette of grey": (".png", picture(WHITE, "P")),
    "palette, black and white": (".png", numbered([0, 0, 0, 255, 255, 255], bits=1)),
    "palette, red": (".png", numbered([0, 0, 0, 128, 0, 0])),
    "palette, red on white": (".png", numbered([255, 255, 255, 255, 0, 0])),
    "palette, transparent ground": (".png", numbered([0, 0, 0, 128, 0, 0], transparency=0)),
    "palette, turned": (".png", numbered([255, 255, 255, 0, 0, 0], bits=1)),
    "JPEG": (".jpg", picture(WHITE)),
    "JPEG, upper case": (".JPG", picture(WHITE)),
    "poor JPEG": (".jpeg", picture(WHITE, quality=40)),
    "JPEG in colour": (".jpg", picture(COLOURED)),
    "BMP": (".bmp", picture(WHITE)),
    "1 bit BMP": (".bmp", picture(MASK == 1)),
    "colour BMP": (".bmp", picture(COLOURED)),
    "WebP": (".webp", picture(COLOURED)),
    "WebP without loss": (".webp", picture(COLOURED, lossless=True)),
    "WebP of 1 without loss": (".webp", picture(np.dstack([MASK] * 3), lossless=True)),
}
"""Labels without a CRS, with their suffix."""
