"""Random rotations, crops and colours of chips: properties that hold for every draw."""

from __future__ import annotations

import colorsys
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from makers import noise

from geochange.chip import Chip, fill_invalid
from geochange.training.data.augment import Augmentation, _change_colours, augment

pytestmark = pytest.mark.slow

STILL = Augmentation(size_px=32, rotate=0, flip=0, photometric=0)
"""Only the crop is random."""


def planted(height: int, width: int, seed: int = 0) -> Chip:
    """A chip whose label can be read off either date: white where it is 1, black where it is 0.

    One corner block is white, so that every symmetry of the square is visible.
    """
    rng = np.random.default_rng(seed)
    coarse = rng.random((-(-height // 8), -(-width // 8))) < 0.4
    coarse[0, 0] = True
    label = np.kron(coarse, np.ones((8, 8), bool))[:height, :width].astype(np.uint8)
    picture = np.repeat(label[..., None] * np.uint8(255), 3, axis=-1)
    return Chip(picture, picture.copy(), np.ones((height, width), bool), label)


def natural(height: int, width: int, seed: int = 0) -> Chip:
    """A chip of different dates, with some invalid and some unknown pixels."""
    rng = np.random.default_rng(seed)
    dates = [noise((height, width, 3), seed + date) for date in (0, 1)]
    valid = [rng.random((height, width)) > 0.05 for _ in dates]
    chip = fill_invalid(dates[0], valid[0], dates[1], valid[1])
    label = rng.choice(np.array([0, 1, 255], np.uint8), (height, width), p=(0.6, 0.3, 0.1))
    label[~chip.valid] = 255
    return replace(chip, label=label)


def label_of(chip: Chip) -> np.ndarray:
    assert chip.label is not None
    return chip.label


def same(one: Chip, other: Chip) -> bool:
    pairs = (
        (one.before, other.before),
        (one.after, other.after),
        (one.valid, other.valid),
        (label_of(one), label_of(other)),
    )
    return all(np.array_equal(a, b) for a, b in pairs)


@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from((32, 64)),
    st.integers(0, 2**63 - 1),
)
@settings(max_examples=60, deadline=None)
def test_whatever_is_drawn_a_chip_is_whole(height: int, width: int, size: int, seed: int) -> None:
    made = augment(natural(height, width), Augmentation(size, swap=0.5), seed)
    assert made.shape == (size, size)
    for date in (made.before, made.after):
        assert date.shape == (size, size, 3)
        assert date.dtype == np.uint8
    label = label_of(made)
    assert (label.shape, label.dtype) == ((size, size), np.uint8)
    assert set(np.unique(label)) <= {0, 1, 255}
    assert (label[~made.valid] == 255).all()
    assert np.array_equal(made.before[~made.valid], made.after[~made.valid])


@pytest.mark.parametrize("seed", range(12))
def test_both_dates_and_the_label_move_together(seed: int) -> None:
    made = augment(planted(48, 40), replace(STILL, rotate=1, flip=0.5), seed)
    label = label_of(made)
    assert np.array_equal(made.before, made.after)
    assert made.valid.mean() > 0.2
    seen = made.before[..., 0] >= 128
    # Bilinear images and a nearest-neighbour label differ only at edges, by less than half a pixel.
    sure = made.valid & np.isin(made.before[..., 0], (0, 255))
    assert sure.sum() > 0.5 * made.valid.sum()
    assert np.array_equal(seen[sure], label[sure] == 1)


def test_rotation_leaves_corners_invalid_and_black() -> None:
    made = augment(natural(32, 32), replace(STILL, rotate=1, photometric=1), 3)
    for row, col in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        assert not made.valid[row, col]
        assert label_of(made)[row, col] == 255
        assert not made.before[row, col].any()
        assert not made.after[row, col].any()


def test_a_pixel_that_missing_data_bled_into_is_invalid() -> None:
    chip = natural(32, 32)
    white = np.full_like(chip.before, 200)
    white[10:20, 10:20] = 0
    valid = white[..., 0] > 0
    made = augment(
        Chip(white, white, valid, np.zeros((32, 32), np.uint8)), replace(STILL, rotate=1), 5
    )
    assert (made.before[made.valid] == 200).all()
    assert made.valid.sum() > 400


def test_nothing_is_done_where_nothing_is_asked_for() -> None:
    chip = natural(32, 32)
    assert same(augment(chip, STILL, 7), chip)


@pytest.mark.parametrize("flips", [((),), ((0,),), ((1,),), ((0, 1),)])
def test_every_flip_is_drawn(flips: tuple[tuple[int, ...]]) -> None:
    chip = natural(32, 32)
    made = [augment(chip, replace(STILL, flip=0.5), seed) for seed in range(40)]
    (axes,) = flips
    wanted = np.flip(chip.before, axes)
    found = [m for m in made if np.array_equal(m.before, wanted)]
    assert 2 <= len(found) <= 20
    assert all(np.array_equal(label_of(m), np.flip(label_of(chip), axes)) for m in found)
    assert all(np.array_equal(m.valid, np.flip(chip.valid, axes)) for m in found)


def test_a_function_of_its_arguments_alone() -> None:
    chip, all_of_it = natural(48, 48), Augmentation(32)
    np.random.seed(1)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = augment(chip, all_of_it, 11)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert same(augment(chip, all_of_it, 11), first)
    assert not same(augment(chip, all_of_it, 12), first)


def test_its_argument_stays_as_it_is() -> None:
    chip, twin = natural(48, 48), natural(48, 48)
    for array in (chip.before, chip.after, chip.valid, label_of(chip)):
        array.flags.writeable = False
    augment(chip, Augmentation(32), 4)
    assert same(chip, twin)


@pytest.mark.parametrize("swap", [0.0, 1.0])
def test_dates_change_places_with_all_that_was_done_to_them(swap: float) -> None:
    chip, plain = natural(40, 40), Augmentation(32)
    for seed in range(5):
        kept, made = augment(chip, plain, seed), augment(chip, replace(plain, swap=swap), seed)
        dates = (made.after, made.before) if swap else (made.before, made.after)
        assert np.array_equal(kept.before, dates[0])
        assert np.array_equal(kept.after, dates[1])


def test_a_chip_without_a_label_teaches_nothing() -> None:
    with pytest.raises(ValueError, match="needs a label"):
        augment(replace(natural(32, 32), label=None), STILL, 0)


def crops(label: np.ndarray, share: float, draws: int = 60) -> list[np.ndarray]:
    picture = np.repeat(label[..., None], 3, axis=-1)
    chip = Chip(picture, picture, np.ones(label.shape, bool), label)
    how = replace(STILL, crop_share=share)
    return [label_of(augment(chip, how, seed)) for seed in range(draws)]


def test_crops_that_one_class_fills_are_drawn_again() -> None:
    """Half of all crops hold no change; ten draws find one that does."""
    label = np.zeros((128, 128), np.uint8)
    label[:, 60:90] = 1

    def filled(found: list[np.ndarray]) -> int:
        return sum(max(crop.mean(), 1 - crop.mean()) > 0.75 for crop in found)

    assert filled(crops(label, 1.0)) > 20
    assert filled(crops(label, 0.75)) <= 1


def test_the_share_is_one_of_known_pixels() -> None:
    """On the left 9 of 10 known pixels changed, on the right half; between them all are unknown."""
    label = np.full((120, 128), 255, np.uint8)
    label[:, :40], label[:, 88:] = 1, 1
    label[::10, :40], label[::2, 88:] = 0, 0
    on_the_right = [(crop == 0).sum() > 0.3 * (crop == 1).sum() for crop in crops(label, 0.75)]
    assert sum(on_the_right) >= 58


def test_where_no_crop_is_mixed_one_is_taken() -> None:
    found = crops(np.zeros((64, 64), np.uint8), 0.75, draws=3)
    assert all((crop == 0).all() for crop in found)


def test_crops_reach_every_corner() -> None:
    label = np.zeros((34, 35), np.uint8)
    label[::2] = 1
    picture = noise((34, 35, 3))
    chip = Chip(picture, picture, np.ones((34, 35), bool), label)
    corners = {tuple(augment(chip, STILL, seed).before[0, 0]) for seed in range(200)}
    assert corners == {tuple(picture[row, col]) for row in range(3) for col in range(4)}


def test_a_small_chip_is_padded_as_invalid() -> None:
    chip = natural(20, 40)
    made = augment(chip, replace(STILL, photometric=1), 0)
    assert not made.valid[20:].any()
    assert not made.before[20:].any()
    assert (label_of(made)[20:] == 255).all()
    assert made.valid[:20].mean() > 0.8


ONE = {
    "brightness": replace(STILL, photometric=1, contrast=0, saturation=0, hue_degrees=0),
    "contrast": replace(STILL, photometric=1, brightness=0, saturation=0, hue_degrees=0),
    "saturation": replace(STILL, photometric=1, brightness=0, contrast=0, hue_degrees=0),
    "hue": replace(STILL, photometric=1, brightness=0, contrast=0, saturation=0),
}
"""One distortion at a time; saturation and hue also convert to 8-bit HSV and back."""


def flat(color: tuple[int, int, int]) -> Chip:
    picture = np.full((32, 32, 3), color, np.uint8)
    return Chip(picture, picture, np.ones((32, 32), bool), np.zeros((32, 32), np.uint8))


def drawn(name: str, color: tuple[int, int, int], draws: int = 300) -> np.ndarray:
    """(2 * draws, 3): the results for a colour, at both dates."""
    made = [augment(flat(color), ONE[name], seed) for seed in range(draws)]
    pixels = [date[0, 0] for chip in made for date in (chip.before, chip.after)]
    return np.array(pixels, dtype=float)


def hsv(colors: np.ndarray) -> np.ndarray:
    return np.array([colorsys.rgb_to_hsv(*color) for color in colors / 255])


def test_brightness_is_added() -> None:
    change = drawn("brightness", (90, 120, 60)) - (90, 120, 60)
    assert (change == change[:, :1]).all()
    assert set(change[:, 0]) == set(range(-10, 11))
    assert drawn("brightness", (250, 3, 100)).max() == 255


def test_contrast_multiplies() -> None:
    made = drawn("contrast", (100, 200, 50))
    factor = made[:, 0] / 100
    np.testing.assert_allclose(made / (100, 200, 50), np.stack([factor] * 3, 1), atol=0.016)
    assert 0.8 <= factor.min() < 0.81
    assert 1.19 < factor.max() <= 1.2


def test_saturation_multiplies_and_keeps_hue_and_value() -> None:
    color = np.array([[180, 120, 90]])
    made, own = hsv(drawn("saturation", (180, 120, 90))), hsv(color)[0]
    np.testing.assert_allclose(made[:, 0], own[0], atol=0.012)
    np.testing.assert_allclose(made[:, 2], own[2], atol=1e-9)
    factor = made[:, 1] / own[1]
    assert 0.78 < factor.min() < 0.82
    assert 1.18 < factor.max() < 1.22


def test_hue_turns_and_keeps_saturation_and_value() -> None:
    color = np.array([[200, 100, 100]])
    made, own = hsv(drawn("hue", (200, 100, 100))), hsv(color)[0]
    degrees = (made[:, 0] - own[0] + 0.5) % 1 * 360 - 180
    assert -22 < degrees.min() < -18
    assert 18 < degrees.max() < 22
    np.testing.assert_allclose(made[:, 1:], np.tile(own[1:], (len(made), 1)), atol=0.012)


@pytest.mark.parametrize("name", ONE)
def test_dates_are_coloured_each_on_its_own(name: str) -> None:
    made = drawn(name, (180, 100, 60), draws=50)
    assert (made[::2] != made[1::2]).any(axis=1).mean() > 0.8


def test_each_distortion_has_its_probability() -> None:
    how = replace(ONE["brightness"], photometric=0.5)
    made = [augment(flat((100, 100, 100)), how, seed) for seed in range(300)]
    changed = np.mean([(date != 100).any() for c in made for date in (c.before, c.after)])
    # One draw in 21 adds nothing: 0.476 on average, within 0.02.
    assert 0.41 < changed < 0.54


class Decided:
    """Draws that are fixed: every distortion at full strength, contrast first or last."""

    def __init__(self, coin: float) -> None:
        self.coin = coin

    def random(self, size: int | None = None) -> Any:
        return self.coin if size is None else np.zeros(size)

    def uniform(self, low: float, high: float, size: int) -> Any:
        return np.full(size, high)


@pytest.mark.parametrize(("coin", "blue"), [(0.0, 129), (0.9, 120)])
def test_contrast_comes_first_or_last(coin: float, blue: int) -> None:
    """First: red and green are clipped at 255, which lowers the saturation before it is multiplied."""
    how = Augmentation(photometric=1, brightness=0, hue_degrees=0)
    made = _change_colours(
        flat((250, 250, 125)).before, how, cast(np.random.Generator, Decided(coin))
    )
    assert np.abs(made[0, 0].astype(int) - (255, 255, blue)).max() <= 2


@pytest.mark.parametrize("seed", range(8))
def test_invalid_pixels_stay_alike_when_dates_are_coloured(seed: int) -> None:
    chip = natural(32, 32, seed)
    made = augment(chip, replace(STILL, photometric=1), seed)
    assert np.array_equal(made.valid, chip.valid)
    assert np.array_equal(made.before[~chip.valid], chip.before[~chip.valid])
    assert np.array_equal(made.after[~chip.valid], chip.after[~chip.valid])
    assert not np.array_equal(made.before, chip.before)


def test_classes_of_both_dates_move_with_the_label_and_change_places() -> None:
    chip = planted(48, 40)
    label = label_of(chip)
    land = np.stack([np.where(label == 1, 3, 255), np.where(label == 1, 5, 7)]).astype(np.uint8)
    for seed in range(6):
        turned = augment(replace(chip, land=land), Augmentation(size_px=32, swap=1.0), seed)
        assert turned.land is not None
        now = label_of(turned)
        known = now != 255
        before, after = turned.land  # the dates have changed places
        assert (before[now == 1] == 5).all()
        assert (before[now == 0] == 7).all()
        np.testing.assert_array_equal(after, np.where(now == 1, 3, 255))
        assert (before[~known] == 255).all()
