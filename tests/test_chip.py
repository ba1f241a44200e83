"""A chip is valid or refused, and missing data never looks like change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geochange.chip import Chip, fill_invalid

SHAPE = (3, 4)
masks = arrays(np.bool_, SHAPE)
pictures = arrays(np.uint8, (*SHAPE, 2), elements=st.integers(0, 255))


@pytest.mark.parametrize(
    ("after", "valid"),
    [((3, 4, 1), (3, 4)), ((3, 5, 2), (3, 4)), ((3, 4, 2), (4, 3)), ((3, 4, 2), (3, 4, 1))],
    ids=["bands", "width", "turned mask", "mask with bands"],
)
def test_dates_of_different_shapes_are_refused(
    after: tuple[int, ...], valid: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match=r"a chip's dates differ: \(3, 4, 2\)"):
        Chip(np.zeros((3, 4, 2)), np.zeros(after), np.ones(valid, bool))


def test_shape_is_height_and_width() -> None:
    assert Chip(np.zeros((3, 4, 2)), np.zeros((3, 4, 2)), np.ones((3, 4), bool)).shape == (3, 4)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(pictures, masks, pictures, masks)
def test_missing_pixels_take_the_other_date_and_nothing_else_moves(
    before: np.ndarray, before_valid: np.ndarray, after: np.ndarray, after_valid: np.ndarray
) -> None:
    untouched = before.copy(), after.copy()
    chip = fill_invalid(before, before_valid, after, after_valid)
    both, neither = before_valid & after_valid, ~(before_valid | after_valid)
    np.testing.assert_array_equal(chip.valid, both)
    np.testing.assert_array_equal(chip.before[before_valid], before[before_valid])
    np.testing.assert_array_equal(chip.after[after_valid], after[after_valid])
    np.testing.assert_array_equal(chip.before[~both], chip.after[~both])
    assert not chip.before[neither].any()
    np.testing.assert_array_equal(before, untouched[0])
    np.testing.assert_array_equal(after, untouched[1])


def test_nan_without_data_does_not_reach_the_network() -> None:
    before = np.full((1, 2, 1), np.nan, np.float32)
    after = np.array([[[np.nan], [5]]], np.float32)
    chip = fill_invalid(before, np.zeros((1, 2), bool), after, np.array([[False, True]]))
    assert chip.before.ravel().tolist() == chip.after.ravel().tolist() == [0, 5]
