"""Counts and their measures, compared with scikit-learn on random masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from geochange.chip import UNKNOWN
from geochange.training.metrics.counts import Counts

CELLS = st.integers(0, 2**40)


def masks(seed: int, shape: tuple[int, int] = (40, 50)) -> tuple[NDArray, NDArray]:
    """A prediction that is better than chance, and a label with a tenth unknown."""
    draw = np.random.default_rng(seed)
    label = (draw.random(shape) < draw.uniform(0.05, 0.6)).astype(np.uint8)
    changed = (label == 1) ^ (draw.random(shape) < draw.uniform(0.05, 0.4))
    label[draw.random(shape) < 0.1] = UNKNOWN
    return changed, label


NO_CHANGE = {
    "accuracy": 1.0,
    **dict.fromkeys(("iou", "f1", "precision", "recall", "miou", "kappa")),
}


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(tn=9), NO_CHANGE),
        (Counts(), dict.fromkeys(NO_CHANGE)),
        (Counts(fp=1, tn=9), {**Counts(fp=1, tn=9).figures(), "recall": None}),
        (Counts(fn=1, tn=9), {**Counts(fn=1, tn=9).figures(), "precision": None}),
        (Counts(1, 2, 3, 4), Counts(1, 2, 3, 4).figures()),
    ],
)
def test_a_share_of_nothing_is_not_defined(counts: Counts, expected: dict[str, float]) -> None:
    assert counts.defined() == expected


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_figures_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn import metrics

    changed, label = masks(seed)
    known = label != UNKNOWN
    ours, theirs = changed[known], label[known] == 1
    jaccard = metrics.jaccard_score(theirs, ours, average=None)
    expected = {
        "iou": jaccard[1],
        "f1": metrics.f1_score(theirs, ours),
        "precision": metrics.precision_score(theirs, ours),
        "recall": metrics.recall_score(theirs, ours),
        "accuracy": metrics.accuracy_score(theirs, ours),
        "miou": jaccard.mean(),
        "kappa": metrics.cohen_kappa_score(theirs, ours),
    }
    assert dict(Counts.of(changed, label).figures()) == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_cells_are_those_of_scikit_learn(seed: int) -> None:
    from sklearn import metrics

    changed, label = masks(seed)
    known = label != UNKNOWN
    (tn, fp), (fn, tp) = metrics.confusion_matrix(label[known] == 1, changed[known])
    assert Counts.of(changed, label) == Counts(tp=tp, fp=fp, fn=fn, tn=tn)


@pytest.mark.slow
@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_parts_add_up_to_the_whole(seed: int, cut: int) -> None:
    changed, label = masks(seed)
    parts = Counts.of(changed[:cut], label[:cut]) + Counts.of(changed[cut:], label[cut:])
    assert parts == Counts.of(changed, label)


def test_unknown_pixels_count_nowhere() -> None:
    label = np.array([[0, 1, UNKNOWN, UNKNOWN]], np.uint8)
    assert Counts.of(np.array([[True, True, True, False]]), label) == Counts(tp=1, fp=1)


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        (Counts(), {"iou": 0, "f1": 0, "accuracy": 0, "miou": 0, "kappa": 0}),
        (Counts(tn=5), {"iou": 0, "f1": 0, "accuracy": 1, "miou": 0.5, "kappa": 0}),
        (Counts(tp=5), {"iou": 1, "f1": 1, "accuracy": 1, "miou": 0.5, "kappa": 0}),
        (Counts(tp=3, tn=5), {"iou": 1, "f1": 1, "accuracy": 1, "miou": 1, "kappa": 1}),
        (Counts(fp=3, fn=5), {"iou": 0, "f1": 0, "accuracy": 0, "miou": 0, "kappa": -15 / 17}),
    ],
)
def test_a_share_of_nothing_is_nothing(counts: Counts, expected: dict[str, float]) -> None:
    figures = counts.figures()
    assert {name: figures[name] for name in expected} == pytest.approx(expected)


@pytest.mark.slow
@given(CELLS, CELLS, CELLS, CELLS)
def test_figures_lie_where_they_must(tp: int, fp: int, fn: int, tn: int) -> None:
    figures = dict(Counts(tp, fp, fn, tn).figures())
    assert -1 <= figures.pop("kappa") <= 1
    assert all(0 <= value <= 1 for value in figures.values())
    assert figures["f1"] == pytest.approx(2 * figures["iou"] / (1 + figures["iou"]))
