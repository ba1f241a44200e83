"""DatedClasses: what stands on each pixel at both dates, and which pixels changed by that."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNCHANGED, UNKNOWN


@dataclass(frozen=True, slots=True)
class DatedClasses:
    """The classes of both dates.

    before, after: (height, width) uint8, numbers of `names`, and UNKNOWN.
    unchanged: the number that means no change instead of a class; None where all pixels have classes.
    """

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    names: tuple[str, ...]
    unchanged: int | None = None

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
