"""The stretch of pictures of deep rasters: land is visible beside clouds and beside fills."""

from __future__ import annotations

import numpy as np
import pytest

from geochange.report.run.pictures import display_stretch


@pytest.mark.parametrize("share", [0.3, 0.5, 0.794, 0.99])
def test_a_fill_of_zeros_leaves_the_ground_visible(share: float) -> None:
    """Undeclared zeros at the edge of a swath are black, and the ground is not white."""
    count = 10_000
    values = np.linspace(600, 4500, count, dtype=np.float32)[:, None] + np.float32([0, 100])
    values[: round(share * count)] = 0
    ground = values[values[:, 0] > 0]
    grey = display_stretch(values).apply(ground)
    assert np.ptp(grey, axis=0).min() == 255
    assert (grey == 255).mean() < 0.1
    assert not display_stretch(values).apply(values[:1]).any()


@pytest.mark.parametrize("levels", [[1, 2, 3], [10] * 3 + [20] * 3 + [30] * 4])
def test_few_values_are_no_fills(levels: list[int]) -> None:
    stretch = display_stretch(np.repeat(np.float32(levels), 100)[:, None])
    assert stretch.low == (min(levels),) and stretch.high == (max(levels),)


def test_a_constant_band_and_no_pixels_have_a_stretch() -> None:
    assert display_stretch(np.full((50, 2), 7, np.float32)).low == (7, 7)
    assert display_stretch(np.zeros((0, 3), np.float32)).high == (1, 1, 1)
