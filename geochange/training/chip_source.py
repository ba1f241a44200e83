"""ChipSource: labelled chips by number, wherever they come from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from geochange.chip import Chip

SPLITS = ("train", "val", "test")
"""The parts of a data set, by the names of their folders and lists."""


@dataclass(frozen=True, slots=True)
class Record:
    """Where one labelled chip lies: a picture per date and a label, in files of their own."""

    before: Path
    after: Path
    label: Path

    @property
    def name(self) -> str:
        """What the chip is called, in reports and in files about it."""
        return self.before.stem


class ChipSource(Protocol):
    """Labelled chips of one split: 8-bit RGB at both dates, and 0, 1 or 255 (unknown) a pixel.

    Plain and small enough to travel to the processes that load chips; files are opened there.
    """

    def __len__(self) -> int:
        """How many chips there are."""
        ...

    def __getitem__(self, number: int) -> Chip:
        """A chip with its label. Raises InputError, which names the file."""
        ...

    def pictures(self, number: int) -> tuple[str, str]:
        """What the pictures of both dates are called in lists: paths, where they have files."""
        ...

    def name(self, number: int) -> str:
        """What a chip is called; no two of a split alike."""
        ...
