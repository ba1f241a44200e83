"""A fit to binned logits, compared with the same fit to all pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit

from geochange.chip import UNKNOWN
from geochange.training.metrics.calibration import BIN_WIDTH, MAX_LOGIT, THRESHOLDS, LogitHistogram
from geochange.training.metrics.counts import Counts


def pixels(
    count: int = 20_000, temperature: float = 1.0, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Logits that are `temperature` times too large."""
    draw = np.random.default_rng(seed)
    true = draw.normal(-2, 2, count)
    label = (draw.random(count) < expit(true)).astype(np.uint8)
    return (true * temperature).astype(np.float32), label


def histogram(*args: float, **kwargs: float) -> LogitHistogram:
    return LogitHistogram.of(*pixels(*args, **kwargs))  # type: ignore[arg-type]


@pytest.mark.slow
@given(st.integers(0, 1000), st.integers(0, 500))
def test_parts_add_up_to_the_whole(seed: int, cut: int) -> None:
    logits, label = pixels(500, seed=seed)
    one, other = (LogitHistogram.of(logits[s], label[s]) for s in (slice(cut), slice(cut, None)))
    np.testing.assert_array_equal((one + other).pixels, LogitHistogram.of(logits, label).pixels)
    empty = LogitHistogram()
    np.testing.assert_array_equal((empty + one + empty).pixels, one.pixels)


def test_unknown_pixels_count_nowhere_whatever_was_said_of_them() -> None:
    logits = np.array([[0.5, np.nan, 3.0]], np.float32)
    label = np.array([[1, UNKNOWN, UNKNOWN]], np.uint8)
    found = LogitHistogram.of(logits, label)
    assert found.pixels.sum() == found.pixels[1].sum() == 1
    with pytest.raises(ValueError, match="not a number"):
        LogitHistogram.of(logits, np.zeros_like(label))


def test_logits_however_large_are_counted() -> None:
    logits = np.array([-np.inf, -1e30, -MAX_LOGIT, MAX_LOGIT, 1e30, np.inf], np.float32)
    found = LogitHistogram.of(logits, np.array([0, 0, 0, 1, 1, 1], np.uint8))
    assert found.pixels[0, 0] == found.pixels[1, -1] == 3
    assert found.counts(0.5) == Counts(tp=3, tn=3)
    assert math.isfinite(found.nll())


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.floats(0.3, 4), st.sampled_from(["f1", "iou"]))
@example(645, 0.3046875, "f1")  # the best cut is not an allowed threshold
def test_no_threshold_scores_better_than_the_best(seed: int, temperature: float, name: str) -> None:
    logits, label = pixels(300, seed=seed)
    found = LogitHistogram.of(logits, label)
    threshold = found.best_threshold(temperature, "iou" if name == "iou" else "f1")
    assert 0 < threshold < 1
    best = Counts.of(expit(logits.astype(float) / temperature) >= threshold, label).figures()[name]
    assert best == found.counts(threshold, temperature).figures()[name]
    low, high = (float(logit(p)) * temperature for p in THRESHOLDS)
    cuts = np.unique(logits)
    allowed = cuts[(cuts >= low) & (cuts <= high)]
    everything = (Counts.of(logits >= cut, label).figures()[name] for cut in allowed)
    # No threshold lies between two logits of one bin.
    assert best >= max(everything) - 0.02
    edges = np.arange(-500, 500) * BIN_WIDTH
    edges = edges[(edges >= low) & (edges <= high)]
    assert best >= max(Counts.of(logits >= edge, label).figures()[name] for edge in edges)


def test_of_equally_good_thresholds_the_middlemost_is_taken() -> None:
    logits = np.array([-4, -3, 5, 6], np.float32)
    found = LogitHistogram.of(logits, np.array([0, 0, 1, 1], np.uint8))
    assert found.best_threshold() == 0.5


@pytest.mark.parametrize("temperature", [0.05, 1.0, 20.0])
def test_a_threshold_is_one_that_a_byte_can_tell_from_0_and_1(temperature: float) -> None:
    logits = np.array([-19, -18.5, -18, -17, -1], np.float32)
    label = np.array([0, 0, 1, 1, 1], np.uint8)
    for found in (LogitHistogram.of(logits, label), LogitHistogram.of(-logits, 1 - label)):
        assert 0.005 <= found.best_threshold(temperature) <= 0.995


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5, 8.0])
def test_the_temperature_is_recovered(temperature: float) -> None:
    found = histogram(200_000, temperature).fit_temperature()
    # Logits beyond the last bin do not tell how far beyond they are.
    assert found == pytest.approx(temperature, rel=0.03)


def test_the_temperature_is_that_of_the_pixels_themselves() -> None:
    logits, label = pixels(5000, 2.0)
    z = logits.astype(np.float64)

    def nll(t: float) -> float:
        return float(np.mean(np.logaddexp(0, z / t) - label * z / t))

    found = LogitHistogram.of(logits, label)
    expected = minimize_scalar(nll, bounds=(0.5, 8), method="bounded").x
    assert found.fit_temperature() == pytest.approx(expected, abs=1e-3)
    assert found.nll(1.7) == pytest.approx(nll(1.7), abs=1e-5)


def test_the_temperature_makes_probabilities_better() -> None:
    found = histogram(50_000, 3.0)
    temperature = found.fit_temperature()
    assert found.nll(temperature) < found.nll(1.0)
    assert found.ece(temperature) < 0.01 < 0.05 < found.ece(1.0)


@pytest.mark.parametrize("temperature", [1.0, 1.7])
def test_the_error_is_that_of_the_pixels_themselves(temperature: float) -> None:
    logits, label = pixels(20_000, 2.0)
    p = expit(logits.astype(np.float64) / temperature)
    bins = np.minimum((p * 15).astype(int), 14)
    expected = sum(
        abs(p[bins == b].sum() - label[bins == b].sum()) for b in range(15) if (bins == b).any()
    )
    found = LogitHistogram.of(logits, label)
    assert found.ece(temperature) == pytest.approx(expected / len(p), abs=2e-4)


def test_reliability_says_what_was_stated_and_what_came_of_it() -> None:
    logits = np.repeat(np.float32([-3.0, 0.2]), 100)
    label = np.zeros(200, np.uint8)
    label[:10] = label[100:180] = 1
    found = LogitHistogram.of(logits, label).reliability(bins=10)
    low, high = int(expit(-3.0) * 10), int(expit(0.2) * 10)
    assert found.pixels.tolist() == [100 if b in (low, high) else 0 for b in range(10)]
    assert (found.observed[low], found.observed[high]) == (0.1, 0.8)
    assert found.stated[[low, high]] == pytest.approx(expit([-3.0, 0.2]), abs=BIN_WIDTH / 4)
    assert np.isnan(found.observed).sum() == np.isnan(found.stated).sum() == 8
    expected = (abs(expit(-3.0) - 0.1) + abs(expit(0.2) - 0.8)) / 2
    assert found.ece == pytest.approx(expected, abs=BIN_WIDTH / 4)
    assert found.to_json()["observed"] == [{low: 0.1, high: 0.8}.get(b) for b in range(10)]


@pytest.mark.parametrize("label", [[], [0, 0], [1, 1]])
def test_of_one_class_nothing_is_fitted(label: list[int]) -> None:
    logits = np.array([-1.0, 2.0], np.float32)[: len(label)]
    found = LogitHistogram.of(logits, np.array(label, np.uint8))
    assert (found.fit_temperature(), found.best_threshold()) == (1.0, 0.5)
    assert math.isfinite(found.ece()) and math.isfinite(found.nll())


def test_thresholds_are_applied_as_to_pixels() -> None:
    logits, label = pixels()
    found = LogitHistogram.of(logits, label)
    for edge in (-3.0, -0.07, 0.0, 1.33):
        assert found.counts(float(expit(edge))) == Counts.of(
            logits.astype(np.float64) >= edge, label
        )
    assert found.counts(1e-12).tn == found.counts(1e-12).fn == 0
    assert found.counts(1 - 1e-12).tp == found.counts(1 - 1e-12).fp == 0


def test_a_threshold_keeps_false_alarms_below_a_share() -> None:
    draw = np.random.default_rng(8)
    label = (np.arange(20_000) < 4000).astype(np.uint8)
    logits = (draw.normal(0, 1, label.size) + 1.5 * label).astype(np.float32)
    histogram = LogitHistogram.of(logits, label)
    free, bound = (histogram.best_threshold(most_false=most) for most in (1.0, 0.02))
    unchanged = logits[label == 0]
    assert (unchanged >= np.log(free / (1 - free))).mean() > 0.05
    share = (unchanged >= np.log(bound / (1 - bound)) - 1e-9).mean()
    assert 0.018 < share <= 0.02
    none = histogram.best_threshold(most_false=1e-9)
    assert not (unchanged >= np.log(none / (1 - none)) + 1e-6).any()
