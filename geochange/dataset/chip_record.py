"""Record: the files of one labelled chip, and the protocol of labels that are no plain masks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from geochange.dataset.truth.dated_classes import DatedClasses
from geochange.grid.tiling import Window
from geochange.raster.pictures.band_files import Picture, path_of


class Truth(Protocol):
    """What a data set says about one pair, in files of any kind; small enough to pickle."""

    @property
    def path(self) -> Path:
        """A file, for errors."""
        ...

    def change(self, shape: tuple[int, int], window: Window | None) -> NDArray[np.uint8]:
        """(height, width) label: 1 = change, 0 = none, 255 = unknown.

        shape: of the pictures, for labels without pixels of their own. window: a part of them; None
        for all. Raises InputError, which names the file.
        """
        ...

    def classes(self, shape: tuple[int, int], window: Window | None) -> DatedClasses | None:
        """What stands on each pixel at both dates. None where the data set does not say it."""
        ...


@dataclass(frozen=True, slots=True)
class Record:
    """The files of one labelled chip: a picture per date and a label.

    label: the path of a mask, whose values are explained by the whole split, or any other Truth.
    called: the name, where that of the file before is no name of the chip. window: the part of the
    pictures that is the chip; None for all.
    """

    before: Picture
    after: Picture
    label: Path | Truth
    called: str = ""
    window: Window | None = None

    @property
    def name(self) -> str:
        """The name of the chip in reports and in files about it."""
        name = self.called or path_of(self.before).stem
        return name if self.window is None else f"{name}_{self.window.row}_{self.window.col}"

    def listed(self, picture: Picture) -> Path:
        """The path of one of its pictures, with the position of the window in its name."""
        path = path_of(picture)
        if self.window is None:
            return path
        return path.with_stem(f"{path.stem}_{self.window.row}_{self.window.col}")
