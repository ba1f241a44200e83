"""Prediction without torch: models that take one chip at a time, on all cores of this process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from geochange.chip import Chip
from geochange.land_cover import NO_LAND_CLASS
from geochange.models.inference.prediction import Prediction, check_finite
from geochange.models.protocol import PredictsChips
from geochange.parallelism import core_count

T = TypeVar("T")


@cache
def _cores() -> ThreadPoolExecutor:
    """One thread a core, for all callers."""
    return ThreadPoolExecutor(core_count(), "predict")


def predict_chips(model: PredictsChips, chips: Sequence[Chip]) -> Prediction:
    """Predict chips of one shape. Chips without data are skipped.

    Raises the error of the first chip that has one, and NotFiniteError as `predict` does.
    """
    seen = [place for place, chip in enumerate(chips) if chip.valid.any()]
    answers = _on_cores(model.predict_chip, [chips[place] for place in seen])
    return _gathered(model, chips, seen, answers)


def see_land(model: PredictsChips, chips: Sequence[Chip]) -> list[NDArray[np.uint8]]:
    """(date, height, width) numbers of land classes, of chips of any shapes."""
    return _on_cores(model.land, chips)


def _on_cores(function: Callable[[Chip], T], chips: Sequence[Chip]) -> list[T]:
    """The results for all chips, in order. After an error, what has not begun is cancelled."""
    answers = [_cores().submit(function, chip) for chip in chips]
    try:
        return [answer.result() for answer in answers]
    finally:
        for answer in answers:
            answer.cancel()


def _gathered(
    model: PredictsChips,
    chips: Sequence[Chip],
    seen: Sequence[int],
    answers: Sequence[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.uint8]]],
) -> Prediction:
    shape, count = chips[0].shape, len(chips)
    classes, dates = len(model.classes), 2 if model.tells_land else 0
    whole = Prediction(
        np.full((count, *shape), np.nan, np.float32),
        np.full((count, 2, classes), np.nan, np.float32),
        np.full((count, dates, *shape), NO_LAND_CLASS, np.uint8),
    )
    for place, (logits, scores, land) in zip(seen, answers, strict=True):
        valid = chips[place].valid
        check_finite(model, chips[place], logits)
        whole.logits[place] = logits
        whole.scores[place] = scores
        whole.land[place] = np.where(valid, land, NO_LAND_CLASS)
    return whole
