"""Estimates the shift between the two dates in pixels, with its confidence.

The method is phase correlation of gradient magnitudes; see `phase_correlation`. Light, season and
sensor change gradients less than colours. Windows are spread over the scene. Each window votes, and
the median of the votes is the shift.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.grid.tiling import Window
from geochange.parallelism import in_threads
from geochange.raster.scene.phase_correlation import phase_shift
from geochange.raster.scene.sampling import RawWindow, SceneSample

LOOKS_PX = {1: 64, 8: 128}
"""The size of looks (parts of windows) by number of windows. Few windows are cut into more looks."""

MOST_WINDOWS = 25
"""The largest number of windows that are used. More windows would not improve the estimate."""

SMALLEST_LOOK_PX = 32

GRADIENT_SIGMA_PX = 1.0
"""The sigma of the Gaussian for gradients."""

STEPS_PER_PX, DIGITS = 50, 3

LEAST_VALID_SHARE = 0.5
"""The least share of pixels of a look that must be valid at both dates."""

LEAST_CORRELATION = 0.15
"""The least correlation of the two dates of a look after its shift is corrected. Below it, the look
shows cloud, water or change, and has no vote."""

VOTE_TOLERANCE_PX = 0.5
"""Votes within this distance of the median agree with it."""

LEAST_VOTES, LEAST_CONFIDENCE = 3, 0.5

NEGLIGIBLE_PX = math.sqrt(0.5)
"""Half the diagonal of a pixel. A smaller shift is not corrected: the nearest pixel is still the
right one, and resampling would blur the image."""


@dataclass(frozen=True)
class Shift:
    """The shift from an object in `before` to the same object in `after`, down and to the right.

    row_px, col_px: the median of the votes in pixels of the run's grid; 0 without votes.
    spread_px: the median distance of the votes from it. looks: the number of looks. votes: the number
    of looks with a vote. confidence: the share of votes that agree, 0 to 1.
    """

    row_px: float = 0.0
    col_px: float = 0.0
    spread_px: float = 0.0
    confidence: float = 0.0
    votes: int = 0
    looks: int = 0

    @property
    def length_px(self) -> float:
        """The length of the shift."""
        return math.hypot(self.row_px, self.col_px)

    @property
    def trusted(self) -> bool:
        """Whether enough looks agree."""
        return self.votes >= LEAST_VOTES and self.confidence >= LEAST_CONFIDENCE

    @property
    def needs_correction(self) -> bool:
        """Whether it is reliable and long enough to be corrected."""
        return self.trusted and self.length_px > NEGLIGIBLE_PX

    @property
    def why_untrusted(self) -> str:
        """Why it is not reliable."""
        if self.votes < LEAST_VOTES:
            return f"only {self.votes} of {self.looks} places show the same at both dates"
        return (
            f"the places disagree about the shift ({self.confidence:.0%} of {self.votes} agree, "
            f"half are {self.spread_px:.1f} px off)"
        )

    def to_json(self) -> dict[str, Any]:
        """Its fields as values for JSON."""
        return {**asdict(self), "trusted": self.trusted}


def measure_shift(sample: SceneSample) -> Shift:
    """The shift between the dates of a scene sample.

    Raises UnreadableError for unreadable pixels, unless the sample skips them (`skip_unreadable`).
    """
    chosen = _chosen(len(sample.before))
    dates = ([windows[i] for i in chosen] for windows in (sample.before, sample.after))
    looks = _looks(*dates)
    first = _votes(looks, (0, 0))
    if not first:
        return Shift(looks=len(looks))
    row, col = np.rint(np.median(first, axis=0)).astype(int).tolist()
    # A second pass with shifted looks: borders that only one look shows bias the first result to 0.
    second = first if (row, col) == (0, 0) else _votes(looks, (row, col))
    return _median(np.array(second).reshape(-1, 2), len(looks))


def _chosen(windows: int) -> list[int]:
    step = max(1.0, windows / MOST_WINDOWS)
    return [int(i * step) for i in range(min(windows, MOST_WINDOWS))]


def _votes(looks: Sequence[Look], near: tuple[int, int]) -> list[tuple[float, float]]:
    votes = in_threads(lambda look: _vote(*look, near), looks)
    return [vote for vote in votes if vote is not None]


def _median(votes: NDArray[np.float64], looks: int) -> Shift:
    if len(votes) == 0:
        return Shift(looks=looks)
    middle = np.median(votes, axis=0)
    away = np.hypot(*(votes - middle).T)
    return Shift(
        row_px=round(float(middle[0]), DIGITS),
        col_px=round(float(middle[1]), DIGITS),
        spread_px=round(float(np.median(away)), DIGITS),
        confidence=float((away <= VOTE_TOLERANCE_PX).mean()),
        votes=len(votes),
        looks=looks,
    )


Grey = NDArray[np.float32]
Look = tuple[Grey, Grey, NDArray[np.bool_]]
"""(height, width) gradients of both dates, and where both are valid."""


def _looks(before: Sequence[RawWindow], after: Sequence[RawWindow]) -> list[Look]:
    """All looks that are large enough and have enough valid pixels."""
    size = next((px for most, px in LOOKS_PX.items() if len(before) <= most), None)
    both = list(zip(before, after, strict=True))
    found = in_threads(lambda pair: list(_looks_of(*pair, size)), both)
    return [look for looks in found for look in looks]


def _looks_of(one: RawWindow, other: RawWindow, size: int | None) -> Iterator[Look]:
    valid = one.valid & other.valid
    edges = _edges(one.pixels, valid), _edges(other.pixels, valid)
    for place in _look_slices(valid.shape, size):
        seen = valid[place]
        if min(seen.shape) >= SMALLEST_LOOK_PX and seen.mean() >= LEAST_VALID_SHARE:
            yield edges[0][place], edges[1][place], seen


def _look_slices(shape: tuple[int, ...], size: int | None) -> Iterator[tuple[slice, slice]]:
    counts = [1 if size is None else max(1, round(length / size)) for length in shape]
    rows, cols = (
        np.linspace(0, length, count + 1).round().astype(int).tolist()
        for length, count in zip(shape, counts, strict=True)
    )
    for row, row_stop in pairwise(rows):
        for col, col_stop in pairwise(cols):
            yield slice(row, row_stop), slice(col, col_stop)


def _edges(pixels: NDArray[Any], valid: NDArray[np.bool_]) -> Grey:
    """(height, width) gradient magnitude of the mean band; 0 near pixels without data."""
    from scipy import ndimage

    grey = _mean_band(pixels)
    if not valid.all():
        grey = np.where(valid, grey, grey[valid].mean() if valid.any() else 0.0)
    # Correlation does not depend on the unit. Large values would overflow when squared.
    grey = np.asarray(grey / max(1.0, np.abs(grey).max(initial=0)), np.float32)
    edges = ndimage.gaussian_gradient_magnitude(grey, GRADIENT_SIGMA_PX)
    if not valid.all():
        edges[~ndimage.binary_erosion(valid, iterations=3, border_value=1)] = 0
    return np.asarray(edges, np.float32)


def _mean_band(pixels: NDArray[Any]) -> NDArray[np.float64]:
    # Band by band, because numpy sums along a short axis pixel by pixel.
    total = np.zeros(pixels.shape[:2])
    for band in range(pixels.shape[2]):
        total += pixels[..., band]
    total /= pixels.shape[2]
    return total


def _vote(
    before: Grey, after: Grey, seen: NDArray[np.bool_], near: tuple[int, int]
) -> tuple[float, float] | None:
    """The shift of a look by phase correlation; None if the dates of the look do not correlate.

    near: the shift in whole pixels from the first pass.
    """
    first, second = _overlapping_parts(before, after, near)
    if min(first.shape) < SMALLEST_LOOK_PX or first.std() == 0 or second.std() == 0:
        return None
    faded = np.outer(*(np.hanning(length) for length in first.shape)).astype(np.float32)
    moved = phase_shift(
        (first - first.mean()) * faded, (second - second.mean()) * faded, STEPS_PER_PX
    )
    row, col = near[0] - moved[0], near[1] - moved[1]
    if _correlation(before, after, (round(row), round(col))) < LEAST_CORRELATION:
        return None
    return row, col


def _overlapping_parts(one: Grey, other: Grey, by: tuple[int, int]) -> tuple[Grey, Grey]:
    """The common parts of two looks if the second is shifted `by` (rows, cols)."""
    height, width = one.shape
    whole = Window(0, 0, height, width)
    shared = whole.intersection(whole.moved(-by[0], -by[1]))
    if shared is None:
        return one[:0], other[:0]
    return one[shared.within(whole)], other[shared.moved(*by).within(whole)]


def _correlation(one: Grey, other: Grey, by: tuple[int, int]) -> float:
    """The correlation of two looks after a shift; 0 if their common part is too small or constant."""
    first, second = _overlapping_parts(one, other, by)
    if min(first.shape) < SMALLEST_LOOK_PX // 2 or first.std() == 0 or second.std() == 0:
        return 0.0
    return float(np.corrcoef(first.ravel(), second.ravel())[0, 1])
