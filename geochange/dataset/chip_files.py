"""FileChips: labelled chips in files of their own, as a ChipSource."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip, Pixels, fill_invalid
from geochange.dataset.chip_lists import listed
from geochange.errors import InputError
from geochange.raster.pictures.image import read_label, read_picture
from geochange.raster.pixels import Valid
from geochange.raster.scene.radiometry import Radiometry
from geochange.training.chip_source import Record

NONE, CHANGE, UNKNOWN = 0, 1, 255
"""What a label says of a pixel."""

_NAMED = 4
"""So many odd values of a label are named."""


@dataclass(frozen=True)
class LabelEncoding:
    """What the values in the labels of a split mean.

    change: 1 or 255; where it is 1, 255 is unknown.
    values: those that the labels of the split hold, in order.
    """

    change: int
    values: tuple[int, ...]

    def decode(self, values: NDArray[Any], valid: Valid) -> NDArray[np.uint8]:
        """Values (height, width) as 1, 0 and 255 (unknown)."""
        label = np.asarray(values == self.change, np.uint8)
        unknown = ~valid
        if self.change != UNKNOWN:
            unknown |= values == UNKNOWN
        label[unknown] = UNKNOWN
        return label


def read_values(path: Path) -> tuple[NDArray[Any], Valid]:
    """The values (height, width) of a label, all of them 0, 1 or 255, and where there are any.

    Raises InputError, which names the values.
    """
    values, valid = read_label(path)
    if not valid.all():
        values = np.where(valid, values, values.dtype.type(NONE))
    if not ((values == NONE) | (values == CHANGE) | (values == UNKNOWN)).all():
        found = [value for value in np.unique(values).tolist() if value not in (0, 1, 255)]
        told = ", ".join(f"{value:g}" for value in found[:_NAMED])
        more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise InputError(
            f"{path}: holds the label {told}{more}; save change as 1 or 255 and all else as 0, "
            "without loss (PNG)"
        )
    return values, valid


@dataclass(frozen=True)
class FileChips:
    """Chips in the order of `records`; see `geochange.training.chip_source.ChipSource`.

    bands: three, 1-based; None takes the first three, or the only one three times.
    dtypes: of the files before and after. radiometry: how their numbers become 8 bits.
    """

    root: Path
    records: tuple[Record, ...]
    bands: tuple[int, ...] | None
    dtypes: tuple[np.dtype[Any], np.dtype[Any]]
    radiometry: Radiometry
    code: LabelEncoding

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, number: int) -> Chip:
        """A chip with its label. Raises InputError, which names the file."""
        record = self.records[number]
        before, before_valid = read_date(record.before, self.bands, self.dtypes[0])
        after, after_valid = read_date(record.after, self.bands, self.dtypes[1])
        values, known = read_values(record.label)
        _need_shape(record.after, after_valid.shape, record.before, before_valid.shape)
        _need_shape(record.label, values.shape, record.before, before_valid.shape)
        before, after = self.radiometry.apply(before, after)
        chip = fill_invalid(before, before_valid, after, after_valid)
        return replace(chip, label=self.code.decode(values, known & chip.valid))

    def pictures(self, number: int) -> tuple[str, str]:
        """The paths of both dates, relative to the root where they lie under it."""
        record = self.records[number]
        return listed(record.before, self.root), listed(record.after, self.root)

    def name(self, number: int) -> str:
        """The name of the file before, its number in front where another has the same."""
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
    """Pixels (height, width, 3) and validity of a picture. Raises InputError for another type."""
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
