"""ChipSource: the protocol of numbered labelled chips, wherever they come from."""

from __future__ import annotations

from typing import Protocol

from geochange.chip import Chip

SPLITS = ("train", "val", "test")
"""The splits of a data set, named like their folders and lists."""


class ChipSource(Protocol):
    """Labelled chips of one split: 8-bit RGB at both dates, and a label of 0, 1 or 255 (unknown).

    It is small enough to be sent to loader processes; they open the files.
    """

    def __len__(self) -> int:
        """The number of chips."""
        ...

    def __getitem__(self, number: int) -> Chip:
        """A chip with its label. Raises InputError, which names the file."""
        ...

    def pictures(self, number: int) -> tuple[str, str]:
        """The pictures of both dates as lists name them: paths, where they are files."""
        ...

    def name(self, number: int) -> str:
        """The name of a chip, unique in its split."""
        ...
