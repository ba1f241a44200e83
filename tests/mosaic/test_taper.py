"""Every taper of TAPERS keeps the same promises."""

from __future__ import annotations

import numpy as np
import pytest

from geochange.mosaic.taper import TAPERS, tile_weights

every_taper = pytest.mark.parametrize("taper", list(TAPERS))
every_size = pytest.mark.parametrize("tile_px", [1, 2, 31, 32, 256, 1024])


@every_taper
@every_size
def test_weights_are_above_nothing_and_finite(taper: str, tile_px: int) -> None:
    found = tile_weights(taper, tile_px)
    assert found.shape == (tile_px, tile_px)
    assert found.dtype == np.float32
    # More than just above zero: the product with a logit must not be a subnormal number.
    assert found.min() > 1e-20
    assert found.max() <= 1


@every_taper
def test_weights_know_no_direction(taper: str) -> None:
    found = tile_weights(taper, 33)
    np.testing.assert_array_equal(found, found.T)
    np.testing.assert_allclose(found, found[::-1], rtol=1e-5)


@every_taper
def test_weights_do_not_rise_towards_the_rim(taper: str) -> None:
    outwards = tile_weights(taper, 64)[32, 32:]
    assert (np.diff(outwards) <= 0).all()


@pytest.mark.parametrize(
    ("taper", "profile"),
    [
        ("hann", np.sin(np.pi * np.array([1, 3, 5, 7]) / 8) ** 2),
        ("linear", np.array([0.25, 0.75, 0.75, 0.25])),
        ("flat", np.ones(4)),
    ],
)
def test_profiles_by_hand(taper: str, profile: np.ndarray) -> None:
    np.testing.assert_allclose(tile_weights(taper, 4), np.outer(profile, profile), rtol=1e-6)


@pytest.mark.parametrize("taper", ["hann", "linear"])
def test_half_overlapping_tiles_add_up_to_one(taper: str) -> None:
    profile = tile_weights(taper, 64)[:, 32] / tile_weights(taper, 64)[32, 32] ** 0.5
    overlap = profile[:32] + profile[32:]
    np.testing.assert_allclose(overlap, overlap[0], rtol=1e-5)
