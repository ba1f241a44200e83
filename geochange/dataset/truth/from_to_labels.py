"""FromToLabels: one label image whose values are changes, from one class to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNCHANGED, UNKNOWN
from geochange.dataset.truth.class_labels import Legend
from geochange.dataset.truth.dated_classes import DatedClasses
from geochange.errors import InputError
from geochange.grid.tiling import Window
from geochange.raster.pictures.class_image import read_class_image


@dataclass(frozen=True)
class FromToTable:
    """The meaning of the values of a label of changes.

    legend: the classes. pairs: by value the numbers of the class before and after, which may be the
    same; None for no change without classes. Other values are refused, besides 255, which is unknown.
    """

    legend: Legend
    pairs: Mapping[int, tuple[int, int] | None]


@dataclass(frozen=True)
class FromToLabels:
    """The label of changes of one pair."""

    path: Path
    table: FromToTable

    def classes(self, shape: tuple[int, int], window: Window | None) -> DatedClasses:
        """The classes of both dates, UNKNOWN where nothing changed and no class is told."""
        values = self._values(window)
        dates = np.full((2, *values.shape), UNKNOWN, np.uint8)
        for value, pair in self.table.pairs.items():
            if pair is not None:
                dates[:, values == value] = np.array(pair, np.uint8)[:, None]
        legend = self.table.legend
        for name in legend.unknown:
            dates[dates == legend.names.index(name)] = UNKNOWN
        return legend.dated(dates[0], dates[1])

    def change(self, shape: tuple[int, int], window: Window | None) -> NDArray[np.uint8]:
        """1 where the classes differ, 0 where they do not or where nothing changed, 255 elsewhere."""
        values, legend = self._values(window), self.table.legend
        unknown = {legend.names.index(name) for name in legend.unknown}
        label = np.full(values.shape, UNKNOWN, np.uint8)
        for value, pair in self.table.pairs.items():
            if pair is not None and not unknown.isdisjoint(pair):
                continue
            same = pair is None or pair[0] == pair[1]
            label[values == value] = UNCHANGED if same else CHANGED
        return label

    def _values(self, window: Window | None) -> NDArray[np.int64]:
        """(height, width) values, UNKNOWN without data. Raises InputError for other values."""
        image = read_class_image(self.path, window)
        band = image.bands[0]
        known = {*self.table.pairs, UNKNOWN}
        odd = image.valid & ~np.isin(band, list(known))
        if odd.any() or not (image.bands == band).all():
            told = f"the value {band[odd][0]:g}" if odd.any() else "bands that differ"
            listed = ", ".join(map(str, sorted(self.table.pairs)))
            raise InputError(
                f"{self.path}: holds {told}; classes.yaml has the changes {listed}; add it there"
            )
        return np.where(image.valid, band, UNKNOWN).astype(np.int64)
