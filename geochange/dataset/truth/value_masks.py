"""ValueMasks: masks whose values have a meaning that the data set states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNKNOWN
from geochange.errors import InputError
from geochange.grid.tiling import Window
from geochange.raster.pictures.class_image import read_class_image


def read_value_mask(
    path: Path, values: Mapping[int, int], window: Window | None
) -> NDArray[np.uint8]:
    """(height, width) label of 0, 1 and 255.

    values: what each value of the file means. Raises InputError for other values.
    """
    image = read_class_image(path, window)
    numbers = image.bands[0]
    label = np.full(numbers.shape, UNKNOWN, np.uint8)
    known = ~image.valid
    for value, meaning in values.items():
        here = numbers == value
        label[here] = meaning
        known |= here
    if not known.all() or not (image.bands == numbers).all():
        found = numbers[~known]
        told = f"the value {found[0]:g}" if found.size else "bands that differ"
        raise InputError(f"{path}: holds {told}; the values are {', '.join(map(str, values))}")
    label[~image.valid] = UNKNOWN
    return label


@dataclass(frozen=True)
class ValueMasks:
    """Masks of one pair. Change in one of them is change; unknown comes before no change."""

    paths: tuple[Path, ...]
    values: Mapping[int, int]

    @property
    def path(self) -> Path:
        """The first mask."""
        return self.paths[0]

    def change(self, shape: tuple[int, int], window: Window | None) -> NDArray[np.uint8]:
        """The label; see `geochange.dataset.chip_record.Truth`."""
        masks = [read_value_mask(path, self.values, window) for path in self.paths]
        if odd := [
            path for path, m in zip(self.paths, masks, strict=True) if m.shape != masks[0].shape
        ]:
            raise InputError(f"{odd[0]}: is not as large as {self.path}; cut them alike")
        stacked = np.stack(masks)
        label = stacked.max(axis=0)
        label[(stacked == CHANGED).any(axis=0)] = CHANGED
        return np.asarray(label, np.uint8)

    def classes(self, shape: tuple[int, int], window: Window | None) -> None:
        """Masks say no classes."""
        return None
