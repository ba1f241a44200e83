from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from geochange.raster.scene.phase_correlation import _transform_between, phase_shift

STEPS = 50


def faded(picture: np.ndarray) -> np.ndarray:
    window = np.outer(*(np.hanning(length) for length in picture.shape)).astype(np.float32)
    return (picture - picture.mean()) * window


def texture(shape: tuple[int, int]) -> np.ndarray:
    noise = np.random.default_rng(5).normal(size=shape)
    return ndimage.gaussian_filter(noise, 1.5).astype(np.float32)


@pytest.mark.parametrize("shape", [(64, 64), (65, 43)])
@pytest.mark.parametrize("moved", [(0.0, 0.0), (2.4, -3.32), (-7.0, 9.5), (0.02, 30.0)])
def test_it_is_that_of_scikit_image(shape: tuple[int, int], moved: tuple[float, float]) -> None:
    one = texture(shape)
    other = ndimage.shift(one, moved, order=3, mode="wrap").astype(np.float32)
    pair = faded(one), faded(other)
    expected, _, _ = phase_cross_correlation(*pair, upsample_factor=STEPS)
    np.testing.assert_allclose(phase_shift(*pair, STEPS), expected, atol=1e-5)


def test_pictures_without_anything_in_common_have_a_shift_of_some_kind() -> None:
    one = faded(texture((32, 32)))
    assert np.isfinite(phase_shift(one, np.zeros_like(one), STEPS)).all()


def test_positions_between_pixels_have_the_values_of_the_fourier_sum() -> None:
    generator = np.random.default_rng(0)
    spectrum = generator.normal(size=(2, 9, 2)).astype(np.float32).view(np.complex64)[..., 0]
    positions = 3.5 + 0.1 * np.arange(20)
    sums = spectrum @ np.exp(2j * np.pi * np.outer(np.arange(9) - 4, positions) / 9)
    found = _transform_between(spectrum, 3.5, 0.1, 20)
    np.testing.assert_allclose(np.abs(found), np.abs(sums), rtol=1e-4, atol=1e-5)
