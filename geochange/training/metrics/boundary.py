"""Boundary counts: how much of the outlines of change lies near the outlines of the label.

Source: Csurka et al., BMVC 2013, "What is a good evaluation measure for semantic segmentation?",
sec. 2.2, with the boundary of the change class alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, distance_transform_edt

from geochange.chip import UNKNOWN

Slices = tuple[slice, slice]


@dataclass(frozen=True, slots=True)
class BoundaryCounts:
    """Boundary pixels of a prediction and of a label, and how many of each lie near the other's."""

    found: int = 0
    found_near: int = 0
    true: int = 0
    true_near: int = 0

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        return BoundaryCounts(
            self.found + other.found,
            self.found_near + other.found_near,
            self.true + other.true,
            self.true_near + other.true_near,
        )

    @property
    def precision(self) -> float:
        """The share of the prediction's boundary that lies near the label's; 0 without a boundary."""
        return self.found_near / self.found if self.found else 0.0

    @property
    def recall(self) -> float:
        """The share of the label's boundary that lies near the prediction's; 0 without a boundary."""
        return self.true_near / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """The harmonic mean of precision and recall; 0 where both are 0."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0

    def figures(self) -> Mapping[str, float]:
        """Precision, recall and f1 by name."""
        return {"precision": self.precision, "recall": self.recall, "f1": self.f1}

    def defined(self) -> Mapping[str, float | None]:
        """The same figures, None where the denominator is 0."""
        known = {
            "precision": self.found > 0,
            "recall": self.true > 0,
            "f1": self.found + self.true > 0,
        }
        return {name: value if known[name] else None for name, value in self.figures().items()}


def boundary_counts(
    changed: NDArray[np.bool_],
    label: NDArray[np.uint8],
    tolerance_px: int,
    inner: Slices | None = None,
) -> BoundaryCounts:
    """Compare the boundaries of a prediction and of a label, both (height, width).

    A boundary pixel is a changed one with an unchanged one above, below or beside it. Near means a
    distance of at most `tolerance_px` between centres. The rim of the picture is no boundary.
    Unknown pixels (255) are ignored and make no boundary.
    inner: count only these pixels. The result equals that of a larger picture, if a margin of
    `tolerance_px` + 1 surrounds them.
    """
    known = label != UNKNOWN
    ours, theirs = _boundary(changed, known), _boundary(label == 1, known)
    near_theirs, near_ours = _near(theirs, tolerance_px), _near(ours, tolerance_px)
    part = (slice(None), slice(None)) if inner is None else inner
    return BoundaryCounts(
        int(ours[part].sum()),
        int((ours & near_theirs)[part].sum()),
        int(theirs[part].sum()),
        int((theirs & near_ours)[part].sum()),
    )


def _boundary(mask: NDArray[np.bool_], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    beside = binary_dilation(known & ~mask)
    return np.asarray(known & mask & beside)


def _near(boundary: NDArray[np.bool_], tolerance_px: int) -> NDArray[np.bool_]:
    if not boundary.any():  # no distance is defined without a boundary
        return np.zeros_like(boundary)
    return np.asarray(distance_transform_edt(~boundary) <= tolerance_px)
