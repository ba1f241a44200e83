"""ClassifiedChips: labelled chips with what stands on each of their pixels at both dates."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from geochange.chip import UNKNOWN, Chip
from geochange.config.class_list import CLASS_LIST
from geochange.dataset.chip_files import FileChips
from geochange.errors import InputError
from geochange.land_cover import ClassTable
from geochange.training.data.chip_source import ChipSource


@dataclass(frozen=True)
class ClassifiedChips:
    """A ChipSource whose chips have `land`. table: its classes, in the order of their numbers."""

    chips: FileChips
    table: ClassTable

    def __len__(self) -> int:
        return len(self.chips)

    def __getitem__(self, number: int) -> Chip:
        """The chip with its label and its classes. Raises InputError, which names the file."""
        chip = self.chips[number]
        return replace(chip, land=self.land(number, chip))

    def land(self, number: int, chip: Chip) -> NDArray[np.uint8]:
        """(2, height, width) numbers of the classes of a chip, UNKNOWN where a date has no data."""
        told = self.chips.classes(number)
        if told is None:
            raise InputError(f"{self.chips.name(number)}: its label tells no classes, others do")
        return np.where(chip.valid, told.numbers(), np.uint8(UNKNOWN))

    def pictures(self, number: int) -> tuple[str, str]:
        """As those of the chips."""
        return self.chips.pictures(number)

    def name(self, number: int) -> str:
        """As that of the chip."""
        return self.chips.name(number)


def classified(source: ChipSource) -> ClassifiedChips | None:
    """The same chips with their classes. None where their labels tell no classes.

    Raises InputError where the labels cannot be read.
    """
    told = source.classes(0) if isinstance(source, FileChips) and len(source) else None
    if told is None:
        return None
    assert isinstance(source, FileChips)
    return ClassifiedChips(source, told.table)


def need_classes(source: ChipSource, split: str) -> ClassifiedChips:
    """The same chips with their classes. split: for the error. Raises InputError."""
    found = classified(source)
    if found is None:
        raise InputError(
            f"{split}: its labels tell change but no classes, which network.heads semantic needs; give "
            f"labels of both dates (layout second) or {CLASS_LIST}, or set network.heads change"
        )
    return found
