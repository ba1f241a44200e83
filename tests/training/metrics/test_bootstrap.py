"""Bootstrap intervals over chips: seeded, pooled, and with the right width."""

from __future__ import annotations

import numpy as np
import pytest

from geochange.training.metrics import bootstrap
from geochange.training.metrics.bootstrap import interval
from geochange.training.metrics.boundary import BoundaryCounts
from geochange.training.metrics.counts import Counts


def chips(count: int, seed: int = 0) -> list[Counts]:
    """Chips of 1000 pixels with about a tenth wrong, more in some than in others."""
    draw = np.random.default_rng(seed)
    made = []
    for wrong in draw.beta(2, 18, count):
        fp, fn = draw.binomial(800, wrong), draw.binomial(200, wrong)
        made.append(Counts(200 - int(fn), int(fp), int(fn), 800 - int(fp)))
    return made


def test_the_pooled_figure_lies_inside_and_every_figure_has_an_interval() -> None:
    sample = chips(30)
    found = interval(sample)
    pooled = sum(sample, Counts()).figures()
    assert found.keys() == pooled.keys()
    for name, (low, high) in found.items():
        assert low < pooled[name] < high


@pytest.mark.slow
def test_it_is_as_wide_as_the_mean_of_so_many_chips_is_uncertain() -> None:
    # All chips have one size, so accuracy is a mean with a known standard error.
    sample = chips(200)
    values = np.array([each.figures()["accuracy"] for each in sample])
    error = 1.96 * values.std(ddof=1) / np.sqrt(len(values))
    low, high = interval(sample, draws=4000)["accuracy"]
    assert (low, high) == pytest.approx((values.mean() - error, values.mean() + error), abs=1e-3)
    narrow = interval(sample, level=0.5)["accuracy"]
    assert low < narrow[0] < narrow[1] < high


def test_chips_are_drawn_and_not_pixels() -> None:
    """One chip tells nothing about other chips, however many pixels it has."""
    alike = interval([Counts(10**6, 10**5, 10**5, 10**7)] * 5)
    assert all(low == high for low, high in alike.values())


def test_the_same_seed_gives_the_same_and_another_one_another() -> None:
    sample = chips(20)
    assert interval(sample, seed=1) == interval(sample, seed=1) != interval(sample, seed=2)


def test_drawing_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    sample = chips(20)
    whole = interval(sample, draws=300)
    monkeypatch.setattr(bootstrap, "MAX_DRAWN_CHIPS", 20 * 7)
    assert interval(sample, draws=300) == whole


def test_boundaries_have_intervals_too() -> None:
    sample = [BoundaryCounts(10, n, 12, n) for n in range(3, 9)]
    found = interval(sample)
    low, high = found["f1"]
    assert found.keys() == {"precision", "recall", "f1"}
    assert low < sum(sample, BoundaryCounts()).f1 < high


def test_without_chips_there_is_none() -> None:
    assert interval([]) == {}
