"""Answers of many batches are gathered and stored."""

from __future__ import annotations

import numpy as np
import pytest

from geochange.chip import Chip
from geochange.models.inference.predict import run_model
from geochange.models.inference.prediction import Prediction
from geochange.mosaic.stores import LOGIT_LIMIT


@pytest.mark.filterwarnings("error")
def test_logits_beyond_half_precision_stay_finite() -> None:
    logits = np.array([[[1e30, -1e30, 70_000, np.nan, 0.1]]], np.float32)
    half = Prediction(logits, np.zeros((1, 2, 0), np.float32)).half(LOGIT_LIMIT)
    assert half.dtype == np.float16
    expected = [LOGIT_LIMIT, -LOGIT_LIMIT, LOGIT_LIMIT, np.nan, np.float16(0.1)]
    np.testing.assert_array_equal(half[0, 0], expected)


def test_half_precision_rounds_as_numpy_does() -> None:
    logits = np.random.default_rng(3).normal(0, 6, (3, 33, 17)).astype(np.float32)
    half = Prediction(logits, np.zeros((3, 2, 0), np.float32)).half(LOGIT_LIMIT)
    np.testing.assert_array_equal(half, logits.astype(np.float16))


class Bright:
    """The logit is the brightness after."""

    bands = None
    threshold = 0.5

    def fit(self, sample: object) -> dict[str, object]:
        return {}

    def adopt(self, statistics: object) -> None: ...

    def change_logits(self, batch: object) -> object:
        return batch.after.float().mean(dim=1)  # type: ignore[attr-defined]


def test_chips_without_data_are_nodata_wherever_they_stand() -> None:
    def chip(value: int, valid: bool) -> Chip:
        pixels = np.full((4, 4, 1), value, np.uint8)
        return Chip(pixels, pixels, np.full((4, 4), valid))

    chips = [chip(n, n not in (0, 3)) for n in range(6)]
    chips[4].valid[1, 2] = False
    said = run_model(Bright(), chips, 2, "cpu").logits  # type: ignore[arg-type]
    for number, logits in enumerate(said):
        expected = np.full((4, 4), number, np.float32)
        expected[~chips[number].valid] = np.nan
        np.testing.assert_array_equal(logits, expected)
