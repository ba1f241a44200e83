"""Smoothing is a Gaussian filter, whatever the strips in which it is computed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from geochange.models.training_free import smoothing
from geochange.models.training_free.smoothing import smooth


def picture_of(*shape: int) -> smoothing.Picture:
    return np.random.default_rng(0).normal(size=shape).astype(np.float32)


def test_it_is_a_gaussian_mirrored_at_the_rim() -> None:
    picture = picture_of(20, 9)
    expected = gaussian_filter(picture.astype(float), 2.0, truncate=3.0, mode="reflect")
    np.testing.assert_allclose(smooth(picture, 2.0), expected, atol=2e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 40), (3, 2), (5, 13)])
def test_it_keeps_constants_in_pictures_smaller_than_itself(shape: tuple[int, int]) -> None:
    np.testing.assert_allclose(smooth(np.full(shape, 3.5, np.float32), 2.0), 3.5, rtol=1e-6)


@pytest.mark.parametrize("values", [1, 50, 333])
def test_strips_change_no_bit(values: int, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = picture_of(31, 17)
    whole = smooth(picture, 2.0)
    monkeypatch.setattr(smoothing, "STRIP_VALUES", values)
    np.testing.assert_array_equal(smooth(picture, 2.0), whole)
