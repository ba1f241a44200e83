"""DatedClasses: what stands on each pixel at both dates, and which pixels changed by that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNCHANGED, UNKNOWN
from geochange.land_cover import ClassTable


@dataclass(frozen=True, slots=True)
class DatedClasses:
    """The classes of both dates.

    before, after: (height, width) uint8, numbers of `names`, and UNKNOWN.
    unchanged: the number that means no change instead of a class; None where all pixels have classes.
    colours: "#rrggbb" of each name; none where the data set has no colours. void: names that are no
    class, which no pixel has.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    names: tuple[str, ...]
    unchanged: int | None = None
    colours: tuple[str, ...] = ()
    void: frozenset[str] = frozenset()

    @property
    def known(self) -> NDArray[np.bool_]:
        """(height, width), where both dates have a class."""
        return np.asarray((self.before != UNKNOWN) & (self.after != UNKNOWN))

    def change(self) -> NDArray[np.uint8]:
        """(height, width) label: 1 where the classes differ, 255 where one is unknown, else 0.

        Where a data set has a number for no change, all other pixels are change, even of one class
        at both dates: a building that replaces another.
        """
        if self.unchanged is None:
            differ = self.before != self.after
        else:
            differ = (self.before != self.unchanged) | (self.after != self.unchanged)
        label = np.where(differ, np.uint8(CHANGED), np.uint8(UNCHANGED))
        label[~self.known] = UNKNOWN
        return label

    @property
    def table(self) -> ClassTable:
        """The classes that a pixel can have, without the names that are no class."""
        names = tuple(self.names[number] for number in self._kept)
        colours = tuple(self.colours[number] for number in self._kept) if self.colours else ()
        return ClassTable(names, colours)

    def numbers(self) -> NDArray[np.uint8]:
        """(2, height, width) numbers of `table` before and after; UNKNOWN where there is no class."""
        lookup = np.full(UNKNOWN + 1, UNKNOWN, np.uint8)
        lookup[self._kept] = np.arange(len(self._kept), dtype=np.uint8)
        return lookup[np.stack([self.before, self.after])]

    @property
    def _kept(self) -> list[int]:
        """The numbers of `names` that are classes."""
        return [
            number
            for number, name in enumerate(self.names)
            if number != self.unchanged and name not in self.void
        ]
