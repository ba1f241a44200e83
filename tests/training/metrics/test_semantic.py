"""Figures of semantic change detection, equal to a plain computation of the published formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest

from geochange.training.metrics.bootstrap import semantic_interval
from geochange.training.metrics.semantic import SemanticCounts

CLASSES = 4


def random_maps(seed: int) -> tuple[np.ndarray, ...]:
    """Predicted change and classes, label of change and true classes; some unknown of each."""
    rng = np.random.default_rng(seed)
    label = rng.choice(np.array([0, 1, 255], np.uint8), (23, 17), p=(0.6, 0.3, 0.1))
    truth = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (2, 23, 17))
    changed = (label == 1) ^ (rng.random(label.shape) < 0.2)
    keep = rng.random(truth.shape) < 0.7
    land = np.where(keep & (truth != 255), truth, rng.integers(0, CLASSES, truth.shape))
    return changed, land.astype(np.uint8), label, truth


def plain_matrix(*maps: np.ndarray) -> np.ndarray:
    """The confusion matrix, pixel by pixel."""
    changed, land, label, truth = maps
    q = np.zeros((CLASSES + 1, CLASSES + 1))
    for date in range(2):
        for row in range(label.shape[0]):
            for col in range(label.shape[1]):
                if label[row, col] == 255:
                    continue
                if label[row, col] == 1 and truth[date, row, col] == 255:
                    continue
                real = int(truth[date, row, col]) + 1 if label[row, col] == 1 else 0
                found = int(land[date, row, col]) + 1 if changed[row, col] else 0
                q[found, real] += 1
    return q


def plain_figures(q: np.ndarray) -> dict[str, float]:
    """The formulas of SECOND and of Bi-SRNet, as sums over their indices."""
    n = range(CLASSES + 1)
    total = sum(q[i, j] for i in n for j in n)
    iou_1 = q[0, 0] / (sum(q[i, 0] for i in n) + sum(q[0, j] for j in n) - q[0, 0])
    iou_2 = sum(q[i, j] for i in n for j in n if i and j) / (total - q[0, 0])
    hat = {(i, j): 0.0 if i == j == 0 else q[i, j] for i in n for j in n}
    whole = sum(hat.values())
    rho = sum(hat[i, i] for i in n) / whole
    eta = sum(sum(hat[j, k] for k in n) * sum(hat[k, j] for k in n) for j in n) / whole**2
    sek = math.exp(iou_2 - 1) * (rho - eta) / (1 - eta)
    right = sum(q[i, i] for i in n if i)
    p = right / sum(q[i, j] for i in n for j in n if i)
    r = right / sum(q[i, j] for i in n for j in n if j)
    miou = (iou_1 + iou_2) / 2
    return {
        "scd_score": 0.3 * miou + 0.7 * sek,
        "sek": sek,
        "fscd": 2 * p * r / (p + r),
        "scd_miou": miou,
        "scd_precision": p,
        "scd_recall": r,
    }


@pytest.mark.parametrize("seed", range(3))
def test_figures_are_those_of_the_formulas(seed: int) -> None:
    maps = random_maps(seed)
    counts, q = SemanticCounts.of(*maps, CLASSES), plain_matrix(*maps)
    np.testing.assert_array_equal(counts.matrix, q)
    assert counts.figures() == pytest.approx(plain_figures(q), rel=1e-12)
    assert 0.2 < counts.figures()["fscd"] < 0.9


def test_of_each_class_iou_and_f1() -> None:
    q = np.array([[50, 3, 1], [2, 10, 4], [0, 5, 7]])
    by_class = SemanticCounts(q).by_class(("water", "tree"))
    assert by_class["water"] == {"iou": 10 / 24, "f1": 20 / 34, "pixels": 18}
    assert by_class["tree"] == {"iou": 7 / 17, "f1": 14 / 24, "pixels": 12}


def test_right_everywhere_is_one_and_nothing_found_is_zero() -> None:
    _, _, label, truth = random_maps(5)
    known = np.where(truth == 255, 0, truth).astype(np.uint8)
    best = SemanticCounts.of(label == 1, known, label, known, CLASSES).figures()
    assert best == pytest.approx(dict.fromkeys(best, 1.0))
    none = SemanticCounts.of(np.zeros_like(label, bool), known, label, known, CLASSES).figures()
    assert none["sek"] == none["fscd"] == 0
    assert SemanticCounts.none(CLASSES).figures()["scd_score"] == 0


def test_a_class_that_is_not_of_the_labels_counts_as_not_found() -> None:
    label, truth = np.ones((1, 2), np.uint8), np.zeros((2, 1, 2), np.uint8)
    land = np.array([[[0, 255]], [[0, 255]]], np.uint8)
    counts = SemanticCounts.of(np.ones((1, 2), bool), land, label, truth, 1)
    assert counts.matrix.tolist() == [[0, 2], [0, 2]]


def test_counts_of_chips_add_up_and_have_an_interval() -> None:
    chips = [SemanticCounts.of(*random_maps(seed), CLASSES) for seed in range(6)]
    whole = sum(chips, SemanticCounts.none(CLASSES))
    assert whole.matrix.sum() == sum(each.matrix.sum() for each in chips)
    low, high = semantic_interval(chips, draws=200)["fscd"]
    assert low < whole.figures()["fscd"] < high
    assert high - low < 0.2
