"""Chip: the pixels of one place at two dates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
"""(height, width, band); uint8 after a stretch or from 8-bit rasters, float32 otherwise."""

UNCHANGED, CHANGED, UNKNOWN = 0, 1, 255
"""The values of labels in memory. Metrics and losses ignore unknown pixels."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One place seen twice, on one grid.

    before, after: (height, width, band), the same shape and dtype.
    valid: (height, width) bool, False where either date holds no data.
    label: (height, width) uint8, 1 = change, 0 = none, 255 = unknown; only in training.
    land: (2, height, width) uint8 numbers of the classes before and after, 255 = unknown; only in
    training, where the labels tell classes.
    """

    before: Pixels
    after: Pixels
    valid: NDArray[np.bool_]
    label: NDArray[np.uint8] | None = None
    land: NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        if self.before.shape != self.after.shape or self.before.shape[:2] != self.valid.shape:
            raise ValueError(
                f"a chip's dates differ: {self.before.shape}, {self.after.shape}, {self.valid.shape}"
            )

    @property
    def shape(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.valid.shape[0], self.valid.shape[1]


def fill_invalid(
    before: Pixels, before_valid: NDArray[np.bool_], after: Pixels, after_valid: NDArray[np.bool_]
) -> Chip:
    """Pair two dates so that missing data can never look like change.

    A pixel invalid at one date takes the other date's value, so the difference there is zero;
    one invalid at both is zero at both.
    """
    valid = before_valid & after_valid
    if valid.all():
        return Chip(before, after, valid)
    before_only = before_valid & ~after_valid
    after_only = after_valid & ~before_valid
    neither = ~(before_valid | after_valid)
    before, after = before.copy(), after.copy()
    after[before_only] = before[before_only]
    before[after_only] = after[after_only]
    before[neither] = 0
    after[neither] = 0
    return Chip(before, after, valid)
