"""FileChips: a ChipSource of labelled chips that are stored as picture files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from geochange.chip import UNKNOWN, Chip, Pixels, fill_invalid
from geochange.dataset.chip_lists import listed_path
from geochange.dataset.label_values import LabelCode, inspect_label
from geochange.errors import InputError
from geochange.raster.nodata import Valid
from geochange.raster.pictures.image import read_picture
from geochange.raster.pictures.label_image import read_label
from geochange.raster.scene.radiometry import Radiometry
from geochange.training.data.chip_source import Record


@dataclass(frozen=True)
class FileChips:
    """Chips in the order of `records`; see `geochange.training.data.chip_source.ChipSource`.

    bands: three band numbers, 1-based. None takes the first three. A picture with one band is repeated
    three times.
    dtypes: of the files before and after. radiometry: how their values become 8 bits.
    """

    root: Path
    records: tuple[Record, ...]
    bands: tuple[int, ...] | None
    dtypes: tuple[np.dtype[Any], np.dtype[Any]]
    radiometry: Radiometry
    code: LabelCode

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, number: int) -> Chip:
        """The chip with its label. Raises InputError, which names the file."""
        record = self.records[number]
        before, before_valid = read_date(record.before, self.bands, self.dtypes[0])
        after, after_valid = read_date(record.after, self.bands, self.dtypes[1])
        label = read_label(record.label)
        inspect_label(str(record.label), label)  # the file may have changed since it was listed
        _need_shape(record.after, after_valid.shape, record.before, before_valid.shape)
        _need_shape(record.label, label.raw.shape, record.before, before_valid.shape)
        before, after = self.radiometry.apply(before, after)
        chip = fill_invalid(before, before_valid, after, after_valid)
        known = np.where(chip.valid, self.code.decode(label), np.uint8(UNKNOWN))
        return replace(chip, label=known)

    def pictures(self, number: int) -> tuple[str, str]:
        """The paths of both dates. Paths below the root are relative to it."""
        record = self.records[number]
        return listed_path(record.before, self.root), listed_path(record.after, self.root)

    def name(self, number: int) -> str:
        """The name of the file before. Duplicate names get the number of the chip as a prefix."""
        return self._names[number]

    @cached_property
    def _names(self) -> tuple[str, ...]:
        names = tuple(record.name for record in self.records)
        if len(set(names)) == len(names):
            return names
        digits = len(str(len(names)))
        return tuple(f"{number:0{digits}}_{name}" for number, name in enumerate(names, 1))


def read_date(
    path: Path, bands: tuple[int, ...] | None, dtype: np.dtype[Any]
) -> tuple[Pixels, Valid]:
    """Pixels (height, width, 3) and validity of a picture.

    Raises InputError if the picture has another dtype.
    """
    pixels, valid = read_picture(path, bands)
    if pixels.dtype != dtype:
        raise InputError(
            f"{path}: is {pixels.dtype} and others of the data set {dtype}; save all alike"
        )
    return pixels, valid


def _need_shape(path: Path, shape: tuple[int, ...], other: Path, wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        has, needs = (f"{height} x {width} px" for height, width in (shape, wanted))
        raise InputError(f"{path}: is {has} (height x width) and {other} {needs}; cut them alike")
