"""Boundaries within a tolerance, compared with a slow and simple implementation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from geochange.chip import UNKNOWN
from geochange.training.metrics.boundary import BoundaryCounts, boundary_counts


def square(shape: tuple[int, int], row: int, col: int, side: int) -> NDArray[np.bool_]:
    mask = np.zeros(shape, bool)
    mask[row : row + side, col : col + side] = True
    return mask


def blobs(seed: int, shape: tuple[int, int]) -> NDArray[np.bool_]:
    field = gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5)
    return field > 0.1


def scene(seed: int, shape: tuple[int, int]) -> tuple[NDArray[np.bool_], NDArray[np.uint8]]:
    label = blobs(seed + 1, shape).astype(np.uint8)
    label[blobs(seed + 2, shape) & blobs(seed + 3, shape)] = UNKNOWN
    return blobs(seed, shape), label


def rim(mask: NDArray[np.bool_], known: NDArray[np.bool_]) -> list[tuple[int, int]]:
    height, width = mask.shape
    found = []
    for row, col in np.argwhere(mask & known).tolist():
        beside = [(row - 1, col), (row + 1, col), (row, col - 1), (row, col + 1)]
        inside = [(r, c) for r, c in beside if 0 <= r < height and 0 <= c < width]
        if any(known[place] and not mask[place] for place in inside):
            found.append((row, col))
    return found


def near(one: list[tuple[int, int]], other: list[tuple[int, int]], tolerance_px: int) -> int:
    return sum(
        any((r - y) ** 2 + (c - x) ** 2 <= tolerance_px**2 for y, x in other) for r, c in one
    )


@pytest.mark.parametrize(
    ("counts", "nothing"),
    [
        (BoundaryCounts(), ["precision", "recall", "f1"]),
        (BoundaryCounts(found=3), ["recall"]),
        (BoundaryCounts(true=3), ["precision"]),
        (BoundaryCounts(3, 2, 4, 1), []),
    ],
)
def test_a_share_of_nothing_is_not_defined(counts: BoundaryCounts, nothing: list[str]) -> None:
    expected = {**counts.figures(), **dict.fromkeys(nothing)}
    assert counts.defined() == expected


@pytest.mark.slow
@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 14), st.integers(1, 14), st.integers(0, 4))
def test_it_is_what_a_plain_count_gives(
    seed: int, height: int, width: int, tolerance_px: int
) -> None:
    changed, label = scene(seed, (height, width))
    known = label != UNKNOWN
    ours, theirs = rim(changed, known), rim(label == 1, known)
    expected = BoundaryCounts(
        len(ours),
        near(ours, theirs, tolerance_px),
        len(theirs),
        near(theirs, ours, tolerance_px),
    )
    assert boundary_counts(changed, label, tolerance_px) == expected


@pytest.mark.parametrize(("shift", "f1"), [(0, 1.0), (1, 1.0), (2, 1.0), (3, 0.0)])
def test_what_is_shifted_by_no_more_than_the_tolerance_is_right(shift: int, f1: float) -> None:
    # Each corner has another line, so that a shift along it does not help.
    label = square((30, 30), 10, 0, 30).astype(np.uint8)
    label[20:] = 0
    changed = np.roll(label == 1, shift, axis=0)
    assert boundary_counts(changed, label, tolerance_px=2).f1 == f1


def test_precision_and_recall_tell_apart_too_much_and_too_little() -> None:
    shape = (40, 40)
    label = square(shape, 4, 4, 8).astype(np.uint8)
    both = square(shape, 4, 4, 8) | square(shape, 25, 25, 8)
    more, less = boundary_counts(both, label, 2), boundary_counts(label == 1, both.astype("u1"), 2)
    assert (more.precision, more.recall) == (0.5, 1.0)
    assert (less.precision, less.recall) == (1.0, 0.5)
    assert more.f1 == less.f1 == pytest.approx(2 / 3)
    assert dict(more.figures()) == {"precision": 0.5, "recall": 1.0, "f1": more.f1}


def test_neither_the_rim_nor_the_unknown_is_a_boundary() -> None:
    label = np.ones((12, 12), np.uint8)
    assert boundary_counts(np.ones((12, 12), bool), label, 2) == BoundaryCounts()
    label[:, 6:] = UNKNOWN
    assert boundary_counts(square((12, 12), 0, 0, 6) | (label == UNKNOWN), label, 2).true == 0
    # Predictions of unknown pixels change nothing.
    changed, label = scene(5, (30, 30))
    assert (label == UNKNOWN).any()
    turned = np.where(label == UNKNOWN, ~changed, changed)
    assert boundary_counts(turned, label, 2) == boundary_counts(changed, label, 2)


@pytest.mark.parametrize("share", [(True, False), (False, True), (False, False)])
def test_without_a_boundary_everything_is_nothing(share: tuple[bool, bool]) -> None:
    masks = [square((20, 20), 5, 5, 8) if there else np.zeros((20, 20), bool) for there in share]
    counts = boundary_counts(masks[0], masks[1].astype(np.uint8), 2)
    assert (counts.found > 0, counts.true > 0) == share
    assert (counts.found_near, counts.true_near, counts.f1) == (0, 0, 0.0)


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 4), st.integers(3, 20))
def test_windows_with_a_margin_add_up_to_the_whole(seed: int, tolerance_px: int, size: int) -> None:
    changed, label = scene(seed, (31, 27))
    margin, total = tolerance_px + 1, BoundaryCounts()
    for row in range(0, 31, size):
        for col in range(0, 27, size):
            top, left = max(0, row - margin), max(0, col - margin)
            part = np.s_[top : row + size + margin, left : col + size + margin]
            rows, cols = min(size, 31 - row), min(size, 27 - col)
            inner = (slice(row - top, row - top + rows), slice(col - left, col - left + cols))
            total += boundary_counts(changed[part], label[part], tolerance_px, inner)
    assert total == boundary_counts(changed, label, tolerance_px)
