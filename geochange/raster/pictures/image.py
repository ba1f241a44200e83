"""Reads images without a CRS (PNG, JPEG, TIFF of any dtype), and writes 8-bit GeoTIFF images."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from geochange.chip import Pixels
from geochange.errors import InputError, OptionError
from geochange.files.archives import split
from geochange.files.atomic import as_output_error, atomic_driver_path
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.raster.access.block_memory import reading_bytes, refuse_large_blocks
from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS
from geochange.raster.band_metadata import describe_bands
from geochange.raster.reader import gdal_environment, opened
from geochange.raster.valid_pixels import (
    Valid,
    valid_by_masks,
    valid_by_nodata,
    valid_by_value,
    zero_invalid,
)

DRIVERS = ("PNG", "JPEG", "GTiff", "BMP", "WEBP")
"""GDAL drivers of images. Other drivers may open files that point to any other file."""

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".tif", ".tiff", ".bmp", ".webp")
"""Suffixes of such images, in lower case."""

RGB = 3
"""The number of bands of a chip."""

MOST_PX = 2**26
"""The largest image: 8192 x 8192 px."""

_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class PictureInfo:
    """The metadata of an image.

    bands: the 1-based numbers of all bands except alpha. A palette counts as three bands. names: of
    these bands; empty for a band without one.
    """

    path: Path
    shape: tuple[int, int]
    dtype: np.dtype[Any]
    bands: tuple[int, ...]
    names: tuple[str, ...] = ()


def describe_picture(path: Path) -> PictureInfo:
    """The shape, dtype and bands of an image. Raises InputError."""
    with open_picture(path) as dataset:
        return _describe(path, dataset)


def read_picture(
    path: Path, bands: tuple[int, ...] | None, window: Window | None = None
) -> tuple[Pixels, Valid]:
    """Pixels (height, width, band) and validity (height, width).

    bands: 1-based; None takes the first three. A single band is repeated three times. Alpha of 0,
    nodata and NaN are missing. A palette is read as colours. window: a part of the image; None for
    all. Raises InputError, and OptionError for a band that does not exist.
    """
    how = window_options(window)
    with open_picture(path, whole=window is None) as dataset:
        chosen = _chosen_bands(_describe(path, dataset), bands)
        if _has_palette(dataset):
            pixels, valid = _read_palette(path, dataset, how)
            return pixels[..., [band - 1 for band in chosen]], valid
        raw = _read(path, dataset, chosen, how)
        valid = _valid(dataset, raw, chosen, how)
        raw = _scaled_to_8bit(dataset, raw)
    return zero_invalid(np.stack(list(raw), axis=-1), valid), valid


def window_options(window: Window | None) -> dict[str, Any]:
    """The options with which rasterio reads a window; none for None."""
    if window is None:
        return {}
    return {"window": RasterioWindow(window.col, window.row, window.width, window.height)}


def write_picture(path: Path, pixels: NDArray[np.uint8], grid: Grid) -> None:
    """Write (height, width, band) uint8 pixels on `grid` as a tiled GeoTIFF.

    Raises OutputError.
    """
    profile = {
        "driver": "GTiff",
        "dtype": "uint8",
        "height": grid.shape[0],
        "width": grid.shape[1],
        "count": pixels.shape[2],
        "crs": grid.crs.to_wkt(),
        "transform": grid.transform,
        "tiled": True,
        "compress": "deflate",
        "predictor": 2,
        "photometric": "rgb",
    }
    with (
        gdal_environment(),
        as_output_error(path, (RasterioError,)),
        atomic_driver_path(path) as part,
        rasterio.open(part, "w", **profile) as raster,
    ):
        raster.write(np.moveaxis(pixels, -1, 0))


@contextmanager
def open_picture(path: Path, *, whole: bool = True) -> Iterator[Any]:
    """Open an image that is a single file, on disk or in an archive on disk. Raises InputError.

    whole: whether the image is going to be read at once, so that its size is limited.
    """
    # Only files are opened: other names of GDAL may lead to the network.
    inside = split(str(path))
    if inside is None and not path.exists():
        raise InputError(f"{path}: no such file; check the path")
    name = str(path) if inside is None else inside.gdal_name
    options = {
        "GDAL_PNG_WHOLE_IMAGE_OPTIM": _is_whole_png(path),
        # GDAL must not list a folder with thousands of files to find the files beside this one.
        "GDAL_DISABLE_READDIR_ON_OPEN": True,
    }
    with IGNORE_GEOREFERENCE_WARNINGS, opened(name, **options) as dataset:
        if dataset.driver not in DRIVERS:
            raise InputError(
                f"{path}: is {dataset.driver}, not PNG, JPEG or TIFF; convert it to one of them"
            )
        if whole:
            _refuse_size(path, dataset)
        refuse_large_blocks(str(path), dataset.block_shapes[0], reading_bytes(dataset))
        try:
            yield dataset
        except RasterioError as error:
            raise _damaged_error(path) from error


def _refuse_size(path: Path, dataset: Any) -> None:
    """Refuse an image that is too large to be read at once. Raises InputError."""
    height, width = dataset.shape
    if height * width > MOST_PX:
        raise InputError(
            f"{path}: has {height:,} x {width:,} px, too many to read at once; cut it into smaller "
            "images first (gdal_retile.py)"
        )


def _is_whole_png(path: Path) -> bool:
    """Whether the chunks of a PNG are complete up to the last one.

    GDAL's fast PNG reader returns wrong pixels for a truncated file, without an error. libpng takes
    twice as long and refuses the file.
    """
    try:
        with path.open("rb") as file:
            if file.read(len(_SIGNATURE)) != _SIGNATURE:
                return False
            while len(head := file.read(8)) == 8 and head[4:].isalpha():
                if head[4:] == b"IEND":
                    return len(file.read(4)) == 4
                file.seek(int.from_bytes(head[:4], "big") + 4, os.SEEK_CUR)
    except OSError:  # the error is reported when the file is opened
        pass
    return False


def _describe(path: Path, dataset: Any) -> PictureInfo:
    if dataset.count == 0:
        raise InputError(f"{path}: holds only subdatasets; export one of them")
    dtype = np.dtype(dataset.dtypes[0])
    if dtype.kind == "c":
        raise InputError(f"{path}: holds complex numbers; export its amplitude first")
    bands: tuple[int, ...] = (1, 2, 3)
    names: tuple[str, ...] = ("red", "green", "blue")
    if not _has_palette(dataset):
        described = describe_bands(dataset)
        bands = tuple(i for i, band in enumerate(described, 1) if band.role != "alpha")
        names = tuple(described[number - 1].name for number in bands)
    if not bands:
        raise InputError(f"{path}: holds only alpha; export its colours")
    return PictureInfo(path, (dataset.height, dataset.width), dtype, bands, names)


def _has_palette(dataset: Any) -> bool:
    return bool(dataset.colorinterp[0] == ColorInterp.palette)


def _chosen_bands(info: PictureInfo, bands: tuple[int, ...] | None) -> tuple[int, ...]:
    if bands is None:
        if len(info.bands) == 2:
            raise InputError(
                f"{info.path}: has 2 bands, but chips need three; repeat one (--bands 1,2,2), or "
                "train on both (data.pixels raw, or db of a radar)"
            )
        return info.bands[:RGB] if len(info.bands) >= RGB else info.bands[:1] * RGB
    for band in bands:
        if band not in info.bands:
            count = len(info.bands)
            raise OptionError(
                f"--bands: {info.path} has no band {band}; it has {count}, counted from 1"
            )
    return bands


def _read(path: Path, dataset: Any, bands: tuple[int, ...], how: dict[str, Any]) -> NDArray[Any]:
    """(band, height, width) values as in the file."""
    try:
        pixels: NDArray[Any] = dataset.read(list(bands), **how)
    except (RasterioError, MemoryError, ValueError) as error:
        raise _damaged_error(path) from error
    return pixels


def _damaged_error(path: Path) -> InputError:
    return InputError(f"{path}: damaged or cut off, its pixels cannot be read; fetch it again")


def _scaled_to_8bit(dataset: Any, pixels: NDArray[Any]) -> NDArray[Any]:
    """The pixels, scaled to 0..255 for a PNG with less than 8 bits per band."""
    deepest = 2 ** int(dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8)) - 1
    if dataset.driver == "PNG" and deepest < 255 and not _has_palette(dataset):
        return np.asarray(pixels * np.uint8(255 // deepest))
    return pixels


def _valid(
    dataset: Any, pixels: NDArray[Any], bands: tuple[int, ...], how: dict[str, Any]
) -> Valid:
    """Where (band, height, width) pixels hold data; see `geochange.raster.valid_pixels`."""
    described = describe_bands(dataset)
    chosen = [described[number - 1] for number in bands]
    alphas = [i for i, band in enumerate(described, 1) if band.role == "alpha"]
    valid = valid_by_nodata(pixels, chosen) & valid_by_value(pixels, chosen)
    return valid_by_masks(dataset, chosen, alphas[0] if alphas else None, valid, how)


def _read_palette(path: Path, dataset: Any, how: dict[str, Any]) -> tuple[NDArray[np.uint8], Valid]:
    """The colours (height, width, 3) of a palette image, and where they are not transparent."""
    numbers = _read(path, dataset, (1,), how)
    palette = dataset.colormap(1)
    colours = np.zeros((max(palette, default=0) + 1, 4), np.uint8)
    for number, colour in palette.items():
        colours[number] = colour
    if numbers.max(initial=0) >= len(colours):
        raise InputError(f"{path}: has numbers beyond its palette; save it as RGB")
    seen = colours[numbers[0]]
    return seen[..., :RGB], (seen[..., RGB] > 0) & _valid(dataset, numbers, (1,), how)
