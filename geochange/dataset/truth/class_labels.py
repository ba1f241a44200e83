"""ClassLabels: images of the classes of both dates, and the legend that explains their values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import UNKNOWN
from geochange.dataset.truth.dated_classes import DatedClasses
from geochange.dataset.truth.value_masks import read_value_mask
from geochange.errors import InputError
from geochange.grid.tiling import Window
from geochange.raster.pictures.class_image import ClassImage, read_class_image

MOST_TOLD = 4
"""The number of unexpected values that an error lists."""


@dataclass(frozen=True)
class Legend:
    """The meaning of the values of class images.

    names: the classes; a class image of one band holds their numbers, from `first` on.
    numbers: those of each class instead, where they do not follow one another.
    colours: 0xRRGGBB of each class, for images in colour; none if they are stored as numbers.
    unknown: names that are no class. unchanged: the name that means no change.
    by_band: whether each class has a band of its own, in the order of names.
    """

    names: tuple[str, ...]
    colours: tuple[int, ...] = ()
    first: int = 0
    unknown: frozenset[str] = frozenset()
    unchanged: str | None = None
    by_band: bool = False
    numbers: tuple[int, ...] = ()

    @property
    def values(self) -> tuple[int, ...]:
        """The number of each class in an image of numbers."""
        return self.numbers or tuple(range(self.first, self.first + len(self.names)))

    def dated(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> DatedClasses:
        """The decoded images of both dates with what is known of the classes."""
        return DatedClasses(
            before,
            after,
            self.names,
            None if self.unchanged is None else self.names.index(self.unchanged),
            tuple(f"#{colour:06x}" for colour in self.colours),
            self.unknown,
        )

    def decode(self, path: Path, image: ClassImage) -> NDArray[np.uint8]:
        """(height, width) numbers of `names`, and UNKNOWN. Raises InputError for other values."""
        colours = image.colours if self.colours else None
        if colours is not None and self._is_drawn(image, colours):
            classes = self._lookup(path, colours, self.colours, "#{:06x}")
        elif self.by_band and len(image.bands) == len(self.names):
            classes = _only_band(image.bands)
        elif (image.bands == image.bands[:1]).all():
            classes = self._lookup(path, image.bands[0], self.values, "{:g}")
        else:
            raise InputError(
                f"{path}: holds {len(image.bands)} bands that differ, which are no numbers of "
                "classes; save one band of numbers"
            )
        classes[~image.valid] = UNKNOWN
        for name in self.unknown:
            classes[classes == self.names.index(name)] = UNKNOWN
        return classes

    def _is_drawn(self, image: ClassImage, colours: NDArray[np.uint32]) -> bool:
        """Whether an image means its colours. Those of a palette may be for viewers alone."""
        return image.palette is None or bool(np.isin(colours, self.colours).all())

    def _lookup(
        self, path: Path, values: NDArray[Any], wanted: tuple[int, ...], form: str
    ) -> NDArray[np.uint8]:
        order = np.argsort(wanted)
        table = np.asarray(wanted)[order]
        place = np.searchsorted(table, values).clip(max=len(table) - 1)
        odd = table[place] != values
        if odd.any():
            found = np.unique(values[odd])
            told = ", ".join(form.format(value) for value in found[:MOST_TOLD].tolist())
            more = f" and {len(found) - MOST_TOLD} more" if len(found) > MOST_TOLD else ""
            known = ", ".join(
                f"{form.format(v)} {name}" for v, name in zip(wanted, self.names, strict=True)
            )
            raise InputError(f"{path}: holds {told}{more}; the classes are {known}")
        return np.asarray(order[place], np.uint8)


def _only_band(bands: NDArray[Any]) -> NDArray[np.uint8]:
    """The band that is set on each pixel. UNKNOWN where none is, or several are."""
    drawn = bands != 0
    classes = np.asarray(drawn.argmax(axis=0), np.uint8)
    classes[drawn.sum(axis=0) != 1] = UNKNOWN
    return classes


@dataclass(frozen=True, slots=True)
class ClassLabels:
    """The class images of both dates. mask: an image of change; None where classes tell it.

    mask_values: the meaning of the values of the mask; see `read_value_mask`.
    """

    before: Path
    after: Path
    legend: Legend
    mask: Path | None = None
    mask_values: Mapping[int, int] | None = None

    @property
    def path(self) -> Path:
        """The class image of the date after, or the mask."""
        return self.mask or self.after

    def classes(self, shape: tuple[int, int], window: Window | None) -> DatedClasses:
        """The classes of both dates; see `geochange.dataset.chip_record.Truth`."""
        before, after = (
            self.legend.decode(path, read_class_image(path, window))
            for path in (self.before, self.after)
        )
        if before.shape != after.shape:
            has, needs = (f"{found.shape[0]} x {found.shape[1]} px" for found in (after, before))
            raise InputError(f"{self.after}: is {has} and {self.before} {needs}; cut them alike")
        return self.legend.dated(before, after)

    def change(self, shape: tuple[int, int], window: Window | None) -> NDArray[np.uint8]:
        """The mask where there is one, else where classes differ; unknown where a class is."""
        classes = self.classes(shape, window)
        if self.mask is None:
            return classes.change()
        label = read_value_mask(self.mask, self.mask_values or {}, window)
        if label.shape != classes.before.shape:
            has, needs = (f"{h} x {w} px" for h, w in (label.shape, classes.before.shape))
            raise InputError(f"{self.mask}: is {has} and {self.before} {needs}; cut them alike")
        return np.where(classes.known, label, np.uint8(UNKNOWN))
