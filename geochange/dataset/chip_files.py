"""FileChips: a ChipSource of labelled chips that are stored as picture files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import UNKNOWN, Chip, Pixels, fill_invalid
from geochange.dataset.chip_lists import listed_path
from geochange.dataset.chip_record import Record
from geochange.dataset.label_values import LabelCode, inspect_label
from geochange.dataset.truth.dated_classes import DatedClasses
from geochange.errors import InputError
from geochange.grid.tiling import Window
from geochange.raster.pictures.band_files import Picture, describe_any, path_of, read_any
from geochange.raster.pictures.label_image import read_label
from geochange.raster.scene.radiometry import Radiometry
from geochange.raster.valid_pixels import Valid


@dataclass(frozen=True)
class FileChips:
    """Chips in the order of `records`; see `geochange.training.data.chip_source.ChipSource`.

    bands: three band numbers, 1-based. None takes the first three. A picture with one band is repeated
    three times.
    dtypes: of the files before and after. radiometry: how their values become 8 bits.
    code: the meaning of the values of masks; None if the labels are no masks.
    """

    root: Path
    records: tuple[Record, ...]
    bands: tuple[int, ...] | None
    dtypes: tuple[np.dtype[Any], np.dtype[Any]]
    radiometry: Radiometry
    code: LabelCode | None

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, number: int) -> Chip:
        """The chip with its label. Raises InputError, which names the file."""
        record = self.records[number]
        before, before_valid = read_date(record.before, self.bands, self.dtypes[0], record.window)
        after, after_valid = read_date(record.after, self.bands, self.dtypes[1], record.window)
        before_path, after_path = path_of(record.before), path_of(record.after)
        _need_shape(after_path, after_valid.shape, before_path, before_valid.shape)
        path, label = self._change(record)
        _need_shape(path, label.shape, before_path, before_valid.shape)
        before, after = self.radiometry.apply(before, after)
        chip = fill_invalid(before, before_valid, after, after_valid)
        return replace(chip, label=np.where(chip.valid, label, np.uint8(UNKNOWN)))

    def classes(self, number: int) -> DatedClasses | None:
        """What stands on each pixel of a chip at both dates. None where the labels do not say it."""
        record = self.records[number]
        if isinstance(record.label, Path):
            return None
        return record.label.classes(describe_any(record.before).shape, record.window)

    def _change(self, record: Record) -> tuple[Path, NDArray[np.uint8]]:
        """The label of a chip, and a file of it."""
        if isinstance(record.label, Path):
            label = read_label(record.label)
            inspect_label(str(record.label), label)  # the file may have changed since it was listed
            if self.code is None:
                raise InputError(
                    f"{record.label}: is a mask among labels of another kind; take it away"
                )
            return record.label, self.code.decode(label)
        shape = describe_any(record.before).shape
        return record.label.path, record.label.change(shape, record.window)

    def pictures(self, number: int) -> tuple[str, str]:
        """The paths of both dates. Paths below the root are relative to it."""
        record = self.records[number]
        before, after = record.listed(record.before), record.listed(record.after)
        return listed_path(before, self.root), listed_path(after, self.root)

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
    picture: Picture,
    bands: tuple[int, ...] | None,
    dtype: np.dtype[Any],
    window: Window | None = None,
) -> tuple[Pixels, Valid]:
    """Pixels (height, width, 3) and validity of a picture, or of a window of it.

    Raises InputError if the picture has another dtype.
    """
    pixels, valid = read_any(picture, bands, window)
    if pixels.dtype != dtype:
        raise InputError(
            f"{path_of(picture)}: is {pixels.dtype} and others of the data set {dtype}; save all alike"
        )
    return pixels, valid


def _need_shape(path: Path, shape: tuple[int, ...], other: Path, wanted: tuple[int, ...]) -> None:
    if shape != wanted:
        has, needs = (f"{height} x {width} px" for height, width in (shape, wanted))
        raise InputError(f"{path}: is {has} (height x width) and {other} {needs}; cut them alike")
