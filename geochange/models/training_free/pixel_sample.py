"""The pixels of a scene sample, band by band, and sums over them in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip, Pixels
from geochange.parallelism import in_threads

PART_PIXELS = 2**16
"""The pixels that a thread sums at once. The parts do not depend on the number of threads."""

PIECE_VALUES = 2**15
"""The values that are worked on at once: they fit into the cache of a core."""

Planes = NDArray[Any]
"""(band, pixel) in the dtype of the chips."""

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PixelSample:
    """The valid pixels of both dates, (band, pixel) each, in the order of the chips."""

    before: Planes
    after: Planes

    @classmethod
    def of(cls, chips: Sequence[Chip]) -> PixelSample:
        """The valid pixels of at least one chip."""
        before = [_planes(chip.before, chip.valid) for chip in chips]
        after = [_planes(chip.after, chip.valid) for chip in chips]
        return cls(np.concatenate(before, axis=1), np.concatenate(after, axis=1))

    @property
    def bands(self) -> int:
        """The bands of a date."""
        return len(self.before)

    def parts(self) -> list[PixelSample]:
        """The sample in parts of PART_PIXELS."""
        starts = range(0, self.before.shape[1], PART_PIXELS)
        cuts = [slice(start, start + PART_PIXELS) for start in starts]
        return [PixelSample(self.before[:, cut], self.after[:, cut]) for cut in cuts]

    def pieces(self) -> Iterator[Array]:
        """(band of before, then of after; pixel) float64, a few pixels at a time.

        BLAS multiplies pieces so small in one thread, so that no sum depends on the number of threads.
        """
        count = 2 * self.bands
        step = max(256, PIECE_VALUES // count)
        for start in range(0, self.before.shape[1], step):
            cut = slice(start, start + step)
            pixels = np.empty((count, len(self.before[0, cut])))
            pixels[: self.bands] = self.before[:, cut]
            pixels[self.bands :] = self.after[:, cut]
            yield pixels


def _planes(pixels: Pixels, valid: NDArray[np.bool_]) -> Planes:
    by_band = np.moveaxis(pixels, -1, 0)
    if valid.all():
        return np.ascontiguousarray(by_band).reshape(len(by_band), -1)
    return np.stack([band[valid] for band in by_band])


def sum_over(sample: PixelSample, of_part: Callable[[PixelSample], Array]) -> Array:
    """The sum of `of_part` over the parts of a sample: in threads, but added in order."""
    return np.asarray(np.sum(in_threads(of_part, sample.parts()), axis=0))


def mean_of(sample: PixelSample) -> Array:
    """(band of before, then of after) means. Sums of integers are exact."""

    def total(part: PixelSample) -> Array:
        dates = (part.before, part.after)
        return np.concatenate([date.sum(axis=1, dtype=np.float64) for date in dates])

    return np.asarray(sum_over(sample, total) / sample.before.shape[1])


def deviation_of(sample: PixelSample, mean: Array) -> Array:
    """(band of before, then of after) standard deviations from `mean`."""

    def total(part: PixelSample) -> Array:
        squares = [((piece - mean[:, None]) ** 2).sum(axis=1) for piece in part.pieces()]
        return np.asarray(np.sum(squares, axis=0))

    return np.asarray(np.sqrt(sum_over(sample, total) / sample.before.shape[1]))
