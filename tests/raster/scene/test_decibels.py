"""Decibels: power and decibels of one scene become the same values."""

from __future__ import annotations

import numpy as np
import pytest

from geochange.errors import InputError
from geochange.raster.scene.decibels import (
    BELOW_LOWEST_DB,
    UNITS,
    Decibels,
    DecibelScale,
    refuse_8bit,
)
from geochange.raster.scene.radiometry import Sampled, choose_radiometry, parse_stretch

RNG = np.random.default_rng(2)
DECIBELS = RNG.normal([-9, -16], 3, (5000, 2)).astype(np.float32)
POWER = (10 ** (DECIBELS.astype(np.float64) / 10)).astype(np.float32)


def sampled(values: np.ndarray) -> Sampled:
    return Sampled(values, values.dtype)


@pytest.mark.parametrize(
    ("values", "linear"),
    [
        (DECIBELS, False),
        (POWER, True),
        (POWER - 0.02, True),  # noise was subtracted, so that a part is below zero
        (RNG.integers(1, 900, (5000, 2)).astype(np.uint16), True),
        (np.empty((0, 2), np.float32), True),
        (np.full((9, 2), np.nan, np.float32), True),
    ],
)
def test_power_and_decibels_are_told_apart(values: np.ndarray, linear: bool) -> None:
    assert Decibels().scales(values, values)[0].linear is linear


def test_dates_in_two_units_come_to_the_same_values() -> None:
    radiometry = choose_radiometry(Decibels(as_float=True), sampled(POWER), sampled(DECIBELS))
    first, second = radiometry.apply(POWER[None], DECIBELS[None])
    assert first.dtype == second.dtype == np.float32
    np.testing.assert_allclose(first, second, atol=1e-4)
    np.testing.assert_array_equal(second, DECIBELS[None])


def test_a_declared_unit_is_taken_at_its_word() -> None:
    for text, linear in (("db:linear", True), ("db:decibels", False)):
        mode = parse_stretch(text)
        assert isinstance(mode, Decibels)
        assert [scale.linear for scale in mode.scales(POWER, DECIBELS)] == [linear, linear]
    assert parse_stretch("db") == Decibels()


@pytest.mark.filterwarnings("error")
def test_power_of_nothing_is_the_least_value_and_no_abyss() -> None:
    scale, _ = Decibels("linear").scales(POWER, POWER)
    lowest = np.percentile(DECIBELS, 0.5, axis=0) - BELOW_LOWEST_DB
    np.testing.assert_allclose(scale.lowest, lowest, atol=1e-3)
    odd = np.array([[0.0, -0.1], [np.nan, 1e-30], [1.0, 100.0]], np.float32)
    expected = [scale.lowest, scale.lowest, [0.0, 20.0]]
    np.testing.assert_allclose(scale.apply(odd), expected, atol=1e-5)


def test_8_bits_have_one_stretch_for_both_dates() -> None:
    """A change of backscatter stays a change, and equal backscatter equal."""
    radiometry = choose_radiometry(parse_stretch("db"), sampled(POWER), sampled(DECIBELS + 3))
    first, second = radiometry.apply(POWER[None], DECIBELS[None])
    assert first.dtype == np.uint8
    assert np.abs(first.astype(int) - second.astype(int)).max() <= 1
    assert radiometry.before == radiometry.after


def test_8_bits_without_a_declared_unit_are_refused() -> None:
    refuse_8bit("a.tif", np.dtype(np.uint8), Decibels("decibels"))
    refuse_8bit("a.tif", np.dtype(np.uint8), "auto")
    refuse_8bit("a.tif", np.dtype(np.float32), Decibels())
    with pytest.raises(InputError, match=r"a\.tif: is 8-bit.*--stretch db:decibels"):
        refuse_8bit("a.tif", np.dtype(np.uint8), Decibels(UNITS["db"]))


def test_a_scale_is_a_small_value() -> None:
    assert DecibelScale(True, (-30.0,)) == DecibelScale(True, (-30.0,))
