"""What stands on each pixel, where change is likely; as SparseLandInference sees it in torch."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geochange.land_cover import NO_LAND_CLASS
from geochange.models.inference.chip_parts import ChipPart, parts_of
from geochange.models.onnx.session import Session
from geochange.models.onnx.shipped.pictures import pad

Floats = NDArray[np.float32]
Numbers = NDArray[np.uint8]

NO_CHANGE_LOGIT = np.float32(-12.0)
"""See `models.land_logits`."""


class LandLooks:
    """Looks at the parts of a chip in which change is likely.

    opened: gives the session of a graph; none is loaded before it is needed. likely: the probability of
    change that one pixel of a part must reach.
    """

    def __init__(self, opened: Callable[[str], Session], likely: float) -> None:
        self._graph = cache(opened)
        self._likely = math.log(likely / (1 - likely))

    def opinion(
        self, dates: Sequence[Floats], logits: Floats, valid: NDArray[np.bool_]
    ) -> tuple[Floats, Floats]:
        """(H, W) logits of change as it sees them, and (2, K, H, W) logits of land.

        Both are as they were, and NaN, where it did not look.
        """
        said, land = logits.copy(), None
        for part in self._likely_parts(logits, valid):
            feed = {**_outer(dates, part), "change": pad(logits[None, *part.outer])}
            seen, changed = self._run("opinion", feed, ["land", "said"])
            if land is None:
                land = np.full((2, seen.shape[1], *logits.shape), np.nan, np.float32)
            land[..., *part.inner] = seen[..., *part.within]
            said[*part.inner] = changed[0, *part.within]
        return said, np.full((2, 1, *logits.shape), np.nan, np.float32) if land is None else land

    def is_likely(self, logits: Floats, valid: NDArray[np.bool_]) -> bool:
        """Whether change is likely in a pixel with data of a chip."""
        return bool(((logits >= self._likely) & valid).any())

    def places(self, dates: Sequence[Floats]) -> Floats:
        """(2, V) scores of class names for the place that a chip shows."""
        found = [self._run("places", {"picture": date}, ["scores"])[0] for date in dates]
        return np.concatenate(found)

    def everywhere(self, dates: Sequence[Floats]) -> Numbers:
        """(2, H, W) land classes by number of a whole chip, seen as one."""
        height, width = dates[0].shape[-2:]
        feed = {"before": pad(dates[0]), "after": pad(dates[1])}
        return np.asarray(self._run("land", feed, ["numbers"])[0][:, :height, :width], np.uint8)

    def _likely_parts(self, logits: Floats, valid: NDArray[np.bool_]) -> Iterator[ChipPart]:
        for part in parts_of(*logits.shape):
            if self.is_likely(logits[part.inner], valid[part.inner]):
                yield part

    def _run(self, graph: str, feed: dict[str, Floats], outputs: list[str]) -> list[NDArray[Any]]:
        return self._graph(graph).run(feed, outputs)


def _outer(dates: Sequence[Floats], part: ChipPart) -> dict[str, Floats]:
    before, after = (pad(date[..., *part.outer]) for date in dates)
    return {"before": before, "after": after}


@dataclass(frozen=True)
class OnlyClasses:
    """Land classes by number, of which one must stand or have stood on a pixel that is change."""

    asked: tuple[int, ...]
    count: int

    @classmethod
    def of(cls, names: Sequence[str], classes: Sequence[str]) -> OnlyClasses | None:
        """None without names: then every pixel may be change."""
        return cls(tuple(classes.index(name) for name in names), len(classes)) if names else None

    def mask(self, logits: Floats, land: Floats) -> Floats:
        """(H, W) logits of change; NO_CHANGE_LOGIT where none of the classes stands or stood."""
        before, after = (self._logit(date) for date in land)
        absent = np.maximum(before, after) < 0
        return np.where(absent, np.minimum(logits, NO_CHANGE_LOGIT), logits)

    def numbers(self, land: Floats) -> Numbers:
        """(2, H, W) the most probable class; NO_LAND_CLASS where nobody looked."""
        numbers: Numbers = land.argmax(axis=1).astype(np.uint8)
        numbers[np.isnan(land[:, 0])] = NO_LAND_CLASS
        return numbers

    def _logit(self, date: Floats) -> Floats:
        """(K, H, W) -> (H, W): the logit of one of these classes being there."""
        others = [number for number in range(self.count) if number not in self.asked]
        if not others or len(date) < self.count:
            return np.full(date.shape[1:], np.inf, np.float32)
        with np.errstate(invalid="ignore"):  # NaN where nobody looked; it stays NaN
            there, absent = (
                np.logaddexp.reduce(date[list(numbers)], axis=0) for numbers in (self.asked, others)
            )
        return np.asarray(there - absent, np.float32)
