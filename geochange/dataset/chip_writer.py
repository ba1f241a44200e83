"""ChipWriter: writes labelled chips into a folder as PNG, and keeps a record of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNCHANGED, UNKNOWN, Chip
from geochange.grid.tiling import Window
from geochange.raster.pictures.band_tiff import write_band_tiff
from geochange.raster.pictures.png import read_png, write_png

BEFORE, AFTER, LABEL = "time1", "time2", "label"
"""The folders of a split."""

WHITE = 255
"""The value of change in labels without unknown pixels: people can see it in a viewer."""


@dataclass(frozen=True, slots=True)
class ChipRecord:
    """A chip that was written: its file name, its split and its position in the pair.

    row, col: its first pixel. known_px: pixels with a label and with data at both dates.
    changed_px: known pixels that changed.
    """

    name: str
    split: str
    row: int
    col: int
    known_px: int
    changed_px: int


@dataclass(frozen=True, slots=True)
class SplitTotals:
    """The counts of a split."""

    chips: int
    known_px: int
    changed_px: int

    @property
    def change_share(self) -> float:
        """Changed pixels divided by known pixels; 0 without known pixels."""
        return self.changed_px / self.known_px if self.known_px else 0.0


@dataclass
class ChipWriter:
    """Writes chips as FOLDER/SPLIT/{time1,time2,label}/NAME_row_col.png.

    digits: the width of row and col in names, so that names sort by position. bands: the names of the
    bands of values that are kept as they are, in pictures of .tif; None for RGB in 0-255.
    """

    folder: Path
    name: str
    digits: int
    bands: tuple[str, ...] | None = None
    records: list[ChipRecord] = field(default_factory=list)
    unknown: bool = False

    def add(self, chip: Chip, label: NDArray[np.uint8], split: str, window: Window) -> None:
        """Write a chip. Raises OutputError."""
        row, col = (f"{place:0{self.digits}}" for place in (window.row, window.col))
        name = f"{self.name}_{row}_{col}"
        for kind, pixels in ((BEFORE, chip.before), (AFTER, chip.after), (LABEL, label)):
            path = self._path(split, kind, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.bands is None or kind == LABEL:
                write_png(path, pixels)
            else:
                write_band_tiff(path, np.asarray(pixels, np.float32), self.bands)
        known, changed = int((label != UNKNOWN).sum()), int((label == CHANGED).sum())
        self.unknown |= known < label.size
        self.records.append(ChipRecord(name, split, window.row, window.col, known, changed))

    def totals_by_split(self, splits: tuple[str, ...]) -> dict[str, SplitTotals]:
        """The counts of each split, also of empty ones."""
        return {split: self._totals_of(split) for split in splits}

    def _totals_of(self, split: str) -> SplitTotals:
        mine = [account for account in self.records if account.split == split]
        known, changed = sum(a.known_px for a in mine), sum(a.changed_px for a in mine)
        return SplitTotals(len(mine), known, changed)

    def mark_change_white(self) -> Mapping[int, str]:
        """Rewrite change as 255 in all labels if no label has an unknown pixel.

        Returns the meaning of each label value. Call it once, after the last chip.
        """
        if self.unknown:
            return {UNCHANGED: "none", CHANGED: "change", UNKNOWN: "unknown"}
        for account in self.records:
            path = self._path(account.split, LABEL, account.name)
            write_png(
                path, np.where(read_png(path) == CHANGED, np.uint8(WHITE), np.uint8(UNCHANGED))
            )
        return {UNCHANGED: "none", WHITE: "change"}

    def to_json(self) -> list[dict[str, object]]:
        """The records of all chips, as values for JSON."""
        return [asdict(account) for account in self.records]

    def _path(self, split: str, kind: str, name: str) -> Path:
        suffix = "png" if self.bands is None or kind == LABEL else "tif"
        return self.folder / split / kind / f"{name}.{suffix}"
