"""Pictures of one file, or of one file for each band, as Sentinel-2 data sets keep them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from geochange.chip import Pixels
from geochange.errors import InputError, OptionError
from geochange.grid.tiling import Window
from geochange.raster.pictures.image import (
    RGB,
    PictureInfo,
    describe_picture,
    read_picture,
)
from geochange.raster.valid_pixels import Valid


@dataclass(frozen=True, slots=True)
class BandFiles:
    """A picture with a file for each band. files: in the order of their band numbers."""

    folder: Path
    files: tuple[Path, ...]


Picture = Path | BandFiles


def path_of(picture: Picture) -> Path:
    """The file of a picture, or the folder of its files."""
    return picture.folder if isinstance(picture, BandFiles) else picture


def describe_any(picture: Picture) -> PictureInfo:
    """The shape, dtype and bands of a picture. Raises InputError."""
    if not isinstance(picture, BandFiles):
        return describe_picture(picture)
    bands = tuple(range(1, len(picture.files) + 1))
    return replace(describe_picture(picture.files[0]), path=picture.folder, bands=bands)


def read_any(
    picture: Picture, bands: tuple[int, ...] | None, window: Window | None = None
) -> tuple[Pixels, Valid]:
    """Pixels (height, width, band) and validity of a picture; see `read_picture`.

    Raises InputError, also where the bands have different sizes or types, and OptionError.
    """
    if not isinstance(picture, BandFiles):
        return read_picture(picture, bands, window)
    chosen = bands or tuple(range(1, RGB + 1))
    if absent := [band for band in chosen if not 1 <= band <= len(picture.files)]:
        count = len(picture.files)
        raise OptionError(
            f"--bands: {picture.folder} has no band {absent[0]}; it has {count}, counted from 1"
        )
    files = [picture.files[band - 1] for band in chosen]
    read = [read_picture(file, (1,), window) for file in files]
    for file, (pixels, _) in zip(files, read, strict=True):
        first = read[0][0]
        if pixels.shape != first.shape or pixels.dtype != first.dtype:
            told, other = (f"{p.shape[0]} x {p.shape[1]} px {p.dtype}" for p in (pixels, first))
            raise InputError(
                f"{file}: is {told} and {files[0].name} {other}; give bands of one size and type"
            )
    valid = np.logical_and.reduce([known for _, known in read])
    return np.concatenate([pixels for pixels, _ in read], axis=-1), valid
