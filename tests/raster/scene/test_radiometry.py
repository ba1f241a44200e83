"""Radiometry: to 8 bits once for the scene, and equal for both dates where possible."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from geochange.errors import OptionError
from geochange.raster.scene.radiometry import (
    MODES,
    UNCHANGED,
    Match,
    Radiometry,
    Sampled,
    Stretch,
    choose_radiometry,
    match_ranks,
    parse_stretch,
    percentile_stretch,
)


def sampled(low: float, high: float, dtype: str, bands: int = 1) -> Sampled:
    values = np.linspace(low, high, 1001)[:, None].repeat(bands, axis=1)
    return Sampled(values.astype(dtype), np.dtype(dtype))


def test_auto_keeps_8_bits_and_stretches_each_other_date_by_itself() -> None:
    assert choose_radiometry("auto", sampled(0, 255, "uint8"), sampled(9, 20, "uint8")) == UNCHANGED
    deep, bright = sampled(0, 1000, "uint16"), sampled(2000, 3000, "uint16")
    found = choose_radiometry("auto", deep, bright)
    assert found == Radiometry(percentile_stretch(deep.values), percentile_stretch(bright.values))
    mixed = choose_radiometry("auto", sampled(0, 255, "uint8"), bright)
    assert mixed == Radiometry(None, percentile_stretch(bright.values))


def test_a_stretch_maps_low_and_high_band_by_band() -> None:
    stretch = Stretch((0, 100), (1000, 200))
    pixels = np.array([[[0, 100], [500, 150], [1000, 200], [-5, 99], [9999, 201]]], np.int16)
    expected = [[[0, 0], [128, 128], [255, 255], [0, 0], [255, 255]]]
    assert stretch.apply(pixels).tolist() == expected
    assert stretch.apply(pixels).dtype == np.uint8


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("dtype", "low"),
    [("uint32", 4e9), ("int32", -2e9), ("float64", 1e12), ("float64", 9e18), ("uint16", 65000)],
)
def test_large_numbers_keep_their_digits(dtype: str, low: float) -> None:
    step = np.spacing(low) if low > 1e15 else 1
    pixels = (low + np.arange(256) * step).astype(dtype)[None, :, None]
    shown = Stretch((float(pixels[0, 0, 0]),), (float(pixels[0, -1, 0]),)).apply(pixels)
    assert shown.ravel().tolist() == list(range(256))


@pytest.mark.filterwarnings("error")
def test_what_is_not_finite_has_a_place() -> None:
    pixels = np.array([[[np.nan], [np.inf], [-np.inf], [0.5]]], np.float32)
    assert Stretch((0,), (1,)).apply(pixels).ravel().tolist() == [0, 255, 0, 128]


@pytest.mark.filterwarnings("error")
def test_a_constant_scene_stays_constant_and_silent() -> None:
    stretch = percentile_stretch(np.full((50, 2), 7, np.uint16))
    applied = stretch.apply(np.full((3, 3, 2), 7, np.uint16))
    assert len(np.unique(applied)) == 1


@settings(max_examples=40, deadline=None)
@given(st.floats(-1e4, 1e4), st.floats(1, 1e4), st.lists(st.floats(-2e4, 2e4), min_size=2))
def test_a_stretch_keeps_order(low: float, span: float, values: list[float]) -> None:
    stretched = Stretch((low,), (low + span,)).apply(np.sort(values).reshape(1, -1, 1))
    assert (np.diff(stretched.ravel().astype(int)) >= 0).all()


def test_spread_cuts_half_a_percent_of_each_tail() -> None:
    values = np.arange(1001)[:, None] * [1.0, 10.0]
    assert percentile_stretch(values) == Stretch((5.0, 50.0), (995.0, 9950.0))


def test_spread_of_no_pixel_does_no_harm() -> None:
    assert percentile_stretch(np.empty((0, 2), np.uint16)) == Stretch((0.0, 0.0), (1.0, 1.0))


def test_8_bits_pass_as_they_are() -> None:
    assert (
        choose_radiometry("joint", sampled(0, 255, "uint8"), sampled(9, 20, "uint8")) == UNCHANGED
    )


def test_joint_gives_both_dates_one_stretch_over_both() -> None:
    found = choose_radiometry("joint", sampled(0, 1000, "uint16"), sampled(2000, 3000, "uint16"))
    assert found.before == found.after
    assert found.before is not None
    assert found.before.low[0] == pytest.approx(10, abs=2)
    assert found.before.high[0] == pytest.approx(2990, abs=2)


def test_joint_of_8_and_16_bits_stretches_the_wider_alone() -> None:
    found = choose_radiometry("joint", sampled(0, 255, "uint8"), sampled(0, 4000, "uint16"))
    assert found == Radiometry(None, Stretch((20.0,), (3980.0,)))


def test_joint_of_two_types_stretches_each_by_its_own() -> None:
    found = choose_radiometry("joint", sampled(0, 1, "float32"), sampled(0, 4000, "uint16"))
    assert found.before is not None
    assert found.before.high[0] == pytest.approx(0.995)
    assert found.after == Stretch((20.0,), (3980.0,))


def test_per_date_stretches_8_bits_too() -> None:
    found = choose_radiometry("per-date", sampled(0, 200, "uint8"), sampled(0, 100, "uint8"))
    assert found == Radiometry(Stretch((1.0,), (199.0,)), Stretch((0.0,), (99.0,)))


def test_none_leaves_everything() -> None:
    assert choose_radiometry("none", sampled(0, 1, "float32"), sampled(0, 9, "uint16")) == UNCHANGED


def test_low_high_is_for_both_dates_and_all_bands() -> None:
    stretch = parse_stretch("0,3000")
    assert stretch == Stretch((0.0,), (3000.0,))
    found = choose_radiometry(stretch, sampled(0, 1, "uint16", 3), sampled(0, 9, "uint16", 3))
    assert found == Radiometry(stretch, stretch)
    pixels = np.array([[[0, 1500, 3000]]], np.uint16)
    for date in found.apply(pixels, pixels):
        assert date.tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize("mode", MODES)
def test_modes_are_words(mode: str) -> None:
    assert parse_stretch(mode) == mode


@pytest.mark.parametrize(
    "text", ["", "automatic", "0", "1,2,3", "a,b", "3000,0", "5,5", "nan,1", "0,inf"]
)
def test_a_stretch_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match=f"^--stretch {text}: "):
        parse_stretch(text)


def test_equal_numbers_stay_equal() -> None:
    found = choose_radiometry("joint", sampled(0, 1000, "uint16"), sampled(500, 3000, "uint16"))
    pixels = np.arange(0, 3000, 7, dtype=np.uint16).reshape(1, -1, 1)
    before, after = found.apply(pixels, pixels)
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    ("before", "after", "given"),
    [("uint8", "uint8", "uint8"), ("uint16", "uint16", "float32"), ("uint8", "int16", "float32")],
)
def test_both_dates_come_in_one_dtype(before: str, after: str, given: str) -> None:
    dates = UNCHANGED.apply(np.full((2, 2, 1), 9, before), np.full((2, 2, 1), 9, after))
    assert [date.dtype for date in dates] == [np.dtype(given)] * 2
    np.testing.assert_array_equal(*dates)


def test_nothing_that_is_not_finite_goes_on() -> None:
    pixels = np.array([[[np.nan], [np.inf], [-np.inf], [3]]], np.float32)
    for date in UNCHANGED.apply(pixels, pixels):
        assert date.ravel().tolist() == [0, 0, 0, 3]
    assert np.isnan(pixels[0, 0, 0])


def matched(before: np.ndarray, after: np.ndarray) -> Match:
    found = match_ranks(before, after)
    assert found is not None
    return found


def test_a_match_undoes_another_light() -> None:
    before = np.random.default_rng(0).gamma(4, 200, (50_000, 2))
    after = before * [0.5, 2.0] + [300, -40]
    found = matched(before, after).apply(after.astype(np.float32))
    middle = slice(*np.searchsorted(np.sort(before[:, 0]), np.percentile(before[:, 0], [1, 99])))
    order = np.argsort(before[:, 0])[middle]
    np.testing.assert_allclose(found[order], before[order], rtol=0.03, atol=8)


def test_a_match_of_a_scene_with_itself_changes_little() -> None:
    values = np.random.default_rng(0).integers(0, 256, (50_000, 3)).astype(np.uint8)
    found = np.rint(matched(values, values).apply(values))
    assert np.abs(found - values).max() <= 1


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=50), st.integers(0, 99))
def test_a_match_keeps_order_and_stays_within(numbers: list[int], seed: int) -> None:
    after = np.array(numbers, np.uint8)[:, None]
    before = np.random.default_rng(seed).integers(0, 65536, after.shape).astype(np.uint16)
    found = matched(before, after).apply(np.arange(-3, 14, dtype=np.float32)[:, None])
    assert (np.diff(found[:, 0]) >= 0).all()
    assert before.min() <= found.min() and found.max() <= before.max()


def test_a_match_of_nothing_is_none() -> None:
    assert match_ranks(np.empty((0, 2)), np.empty((0, 2))) is None


@pytest.mark.filterwarnings("error")
def test_8_bits_stay_8_bits_when_they_are_matched() -> None:
    before, after = sampled(100, 200, "uint8"), sampled(0, 50, "uint8")
    found = choose_radiometry(
        "joint", before, after, match=match_ranks(before.values, after.values)
    )
    assert (found.before, found.after) == (None, None)
    first, second = found.apply(
        np.array([[[150]]], np.uint8), np.array([[[25]], [[0]], [[255]]], np.uint8)
    )
    assert (first.dtype, second.dtype) == (np.uint8, np.uint8)
    assert second.ravel().tolist() == [150, 100, 200]


def test_a_match_comes_before_the_stretch_and_gives_both_dates_one() -> None:
    before, after = sampled(0, 10_000, "uint16"), sampled(0, 1, "float32")
    match = match_ranks(before.values, after.values)
    found = choose_radiometry("joint", before, after, match=match)
    assert found.match == match
    assert found.before == found.after
    first, second = found.apply(
        np.array([[[2500]]], np.uint16), np.array([[[0.25]], [[np.nan]]], np.float32)
    )
    assert first[0, 0, 0] == second[0, 0, 0]
    assert second[1, 0, 0] == 0
