"""Reads the values of a label from any kind of image, and where it has values.

- A palette image is read by its numbers, not by its colours.
- If all bands are equal, one of them is read. Alpha of 0 and nodata are no label. A nodata value of
  0 is read as 0, because tools that rasterise polygons often set it.
- White (the largest value of an unsigned file) is read as 255.
- A file of one bit, or one with lossy compression (JPEG), only tells change from no change. It is
  read as booleans. With loss, values from half of white on are change.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as RasterioWindow

from geochange.errors import InputError
from geochange.raster.pictures.image import open_picture
from geochange.raster.valid_pixels import Valid

WHITE = 255

MOST_BANDS = 16
"""The largest number of bands of a label. They must be equal."""

WHITE_MIN = 128
"""Values from here on are white in a label with lossy compression."""

MAX_TINT = 64
"""The largest difference between bands of a grey label with lossy compression."""


@dataclass(frozen=True, slots=True)
class LabelCoding:
    """How a file stores a label.

    bands: 1-based numbers of its bands, which are equal. alpha: the number of the alpha band, or None.
    masked: whether it has a mask. nodata: None if it has none, or if it is 0.
    white: the largest value, which is read as 255; None if the largest value is not white.
    binary: whether it holds at most two values. lossy: whether its compression is lossy.
    dark: which of 1 and 255 are drawn darker than 0, in grey.
    """

    bands: tuple[int, ...]
    alpha: int | None
    masked: bool
    nodata: float | None
    white: int | None
    binary: bool
    lossy: bool
    dark: frozenset[int]


@dataclass(frozen=True, slots=True)
class Label:
    """A label, or a window of one, as stored in its file.

    raw: (height, width) values with the dtype of the file. valid: (height, width), where it has values.
    """

    coding: LabelCoding
    raw: NDArray[Any]
    valid: Valid

    @property
    def numbers(self) -> NDArray[Any]:
        """(height, width) values with white as 255; bool if the file only tells change from no change."""
        if self.coding.lossy:
            return np.asarray(self.raw >= WHITE_MIN)
        if self.coding.binary:
            return np.asarray(self.raw != 0)
        white = self.coding.white
        if white is None or white == WHITE:
            return self.raw
        return np.where(self.raw == white, self.raw.dtype.type(WHITE), self.raw)


def read_label(path: Path) -> Label:
    """The label of a chip. Raises InputError, also for an image with colours."""
    with open_picture(path) as dataset:
        return read_numbers(str(path), dataset, coding_of(str(path), dataset))


def coding_of(path: str, dataset: Any) -> LabelCoding:
    """How an open file stores a label. Raises InputError if it cannot hold one."""
    kinds = dataset.colorinterp
    alphas = [number for number, kind in enumerate(kinds, 1) if kind == ColorInterp.alpha]
    bands = tuple(number for number in dataset.indexes if number not in alphas)
    dtype = np.dtype(dataset.dtypes[0])
    if not bands or dtype.kind == "c":
        held = "complex numbers" if dtype.kind == "c" else "only alpha"
        raise InputError(f"{path}: holds {held}, not labels; save change as 1, else 0")
    if len(bands) > MOST_BANDS:
        raise InputError(
            f"{path}: holds {len(bands):,} bands, but a label has one; give one band of 0 and 1 or 255"
        )
    palette = dataset.colormap(1) if kinds[0] == ColorInterp.palette else None
    bits = int(dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS", 8 * dtype.itemsize))
    is_shade = palette is None and dtype.kind == "u"
    return LabelCoding(
        bands=bands,
        alpha=alphas[0] if alphas else None,
        masked=not alphas and MaskFlags.per_dataset in dataset.mask_flag_enums[0],
        nodata=dataset.nodata or None,
        white=2**bits - 1 if is_shade else None,
        binary=bits == 1 or (palette is not None and max(palette) == 1),
        lossy=_is_lossy(dataset),
        dark=_dark(dataset, palette),
    )


def read_numbers(
    path: str, dataset: Any, coding: LabelCoding, window: RasterioWindow | None = None
) -> Label:
    """A window of an open label, or all of it. Raises InputError if its bands differ."""
    bands = np.asarray(dataset.read(list(coding.bands), window=window))
    raw = bands[0]
    spread = MAX_TINT if coding.lossy else 0
    if len(bands) > 1 and (bands.max(axis=0) - bands.min(axis=0) > spread).any():
        raise InputError(
            f"{path}: holds {len(bands)} bands that differ, so it holds colours and not a label; give "
            "one band of 0 and 1 or 255 (a palette is read by its numbers), or polygons"
        )
    valid = np.ones(raw.shape, np.bool_)
    if raw.dtype.kind == "f":
        valid &= np.isfinite(raw)
    if coding.nodata is not None:
        valid &= raw != coding.nodata
    if coding.alpha is not None:
        valid &= dataset.read(coding.alpha, window=window) > 0
    elif coding.masked:
        valid &= dataset.read_masks(1, window=window) > 0
    return Label(coding, raw, valid)


def _is_lossy(dataset: Any) -> bool:
    told = {**dataset.tags(ns="IMAGE_STRUCTURE"), **dataset.tags(1, ns="IMAGE_STRUCTURE")}
    said: str = told.get("COMPRESSION_REVERSIBILITY", "").upper()
    if said:
        return said.startswith("LOSSY")
    return bool(dataset.driver == "JPEG" or "JPEG" in told.get("COMPRESSION", "").upper().split())


def _dark(dataset: Any, palette: dict[int, tuple[int, ...]] | None) -> frozenset[int]:
    if palette is None:
        is_turned = dataset.tags(ns="IMAGE_STRUCTURE").get("MINISWHITE") == "YES"
        return frozenset({1, WHITE}) if is_turned else frozenset()
    shades = {number: colour[0] for number, colour in palette.items() if len(set(colour[:3])) == 1}
    return frozenset(n for n in (1, WHITE) if shades.get(n, WHITE) < shades.get(0, 0))
