"""Bands and decibels are augmented in their own units, and their places like those of RGB."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from makers import make_chip, texture

from geochange.chip import UNKNOWN, Chip
from geochange.training.data.augment import Augmentation, augment
from geochange.training.data.band_augment import BandJitter, add_speckle

pytestmark = pytest.mark.slow

STILL = Augmentation(size_px=48, rotate=0, flip=0, photometric=0, crop_share=1)
BANDS = replace(STILL, mean=(90.0, 90.0, 90.0, 500.0), std=(30.0, 30.0, 30.0, 80.0))


def chip(seed: int = 0) -> Chip:
    rgb = texture(48, 3, seed).clip(0, 255).astype(np.uint8)
    label = (texture(48, 1, seed + 1)[..., 0] > 110).astype(np.uint8)
    return replace(make_chip(rgb, rgb[::-1].copy()), label=label)


def with_height(rgb: Chip) -> Chip:
    height = np.full((*rgb.shape, 1), 512.5, np.float32)
    before, after = (
        np.concatenate([d, height], -1).astype(np.float32) for d in (rgb.before, rgb.after)
    )
    return Chip(before, after, rgb.valid, rgb.label)


@pytest.mark.parametrize("seed", range(4))
def test_bands_move_as_rgb_does(seed: int) -> None:
    moving = {"rotate": 1.0, "flip": 0.5, "size_px": 32}
    rgb = augment(chip(), replace(STILL, **moving), seed)  # type: ignore[arg-type]
    bands = augment(with_height(chip()), replace(BANDS, **moving), seed)  # type: ignore[arg-type]
    assert (bands.valid == rgb.valid).all() and (bands.label == rgb.label).all()
    assert bands.before.dtype == np.float32
    inside = bands.valid
    assert np.abs(bands.after[..., :3][inside] - rgb.after[inside]).max() <= 1
    np.testing.assert_allclose(bands.before[..., 3][inside], 512.5, atol=1e-3)
    assert (bands.label[~inside] == UNKNOWN).all()
    assert (bands.before[~inside] == bands.after[~inside]).all()


def test_nothing_asked_for_changes_nothing() -> None:
    plain = with_height(chip())
    same = augment(plain, BANDS, 3)
    assert (same.before == plain.before).all() and (same.after == plain.after).all()


def test_jitter_is_in_deviations_of_each_band() -> None:
    jitter = BandJitter((0.0, 1000.0), (1.0, 200.0), 1.0, brightness=51.0, contrast=0.0)
    picture = np.zeros((4, 4, 2), np.float32)
    draws = [jitter.apply(picture, np.random.default_rng(seed)) for seed in range(200)]
    spread = np.abs([draw[0, 0] for draw in draws]).max(axis=0)
    assert spread == pytest.approx([0.8, 160.0], rel=0.03)  # a fifth of four deviations
    assert all(np.ptp(draw, axis=(0, 1)).max() == 0 for draw in draws)


def test_contrast_turns_about_the_mean() -> None:
    jitter = BandJitter((10.0,), (1.0,), 1.0, brightness=0.0, contrast=0.5)
    picture = np.array([[[10.0], [12.0]]], np.float32)
    for seed in range(5):
        middle, other = jitter.apply(picture, np.random.default_rng(seed))[0, :, 0]
        assert middle == 10 and 11 <= other <= 13 and other != 12


@pytest.mark.parametrize("looks", [1.0, 4.4, 30.0])
def test_speckle_has_its_number_of_looks(looks: float) -> None:
    """The mean of power stays, and its variance is that of so many looks."""
    picture = np.full((200, 200, 2), -13.0, np.float32)
    power = 10 ** ((add_speckle(picture, looks, np.random.default_rng(1)) + 13.0) / 10)
    assert power.mean() == pytest.approx(1, abs=0.02)
    assert power.mean() ** 2 / power.var() == pytest.approx(looks, rel=0.05)
    assert abs(np.corrcoef(power[..., 0].ravel(), power[..., 1].ravel())[0, 1]) < 0.02


def test_speckle_differs_between_dates_and_leaves_what_is_not_valid() -> None:
    plain = with_height(chip())
    valid = plain.valid.copy()
    valid[:, 30:] = False
    plain = Chip(
        plain.before, np.where(valid[..., None], plain.after, plain.before), valid, plain.label
    )
    noisy = augment(plain, replace(BANDS, speckle=1.0, looks=4.0), 5)
    first, second = noisy.before - plain.before, noisy.after - plain.after
    assert np.abs(np.corrcoef(first[valid].ravel(), second[valid].ravel())[0, 1]) < 0.05
    assert (noisy.before[~valid] == noisy.after[~valid]).all()
