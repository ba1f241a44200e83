"""Histograms: their distance, and the share of one that is as bright as cloud."""

from __future__ import annotations

import numpy as np
import pytest

from geochange.raster.scene.histograms import cloud_shares, distances


def land(seed: int, bands: int = 3) -> np.ndarray:
    return np.random.default_rng(seed).normal(1000, 150, (40_000, bands)).astype(np.uint16)


@pytest.mark.slow
def test_one_scene_is_nowhere_from_itself() -> None:
    assert distances(land(0), land(0)) == (0, 0, 0)
    assert max(distances(land(0), land(1))) < 0.01


def test_a_distance_is_a_share_of_the_range() -> None:
    values = np.linspace(0, 100, 5001)[:, None]
    (found,) = distances(values, values + 25)
    low, high = np.percentile(np.concatenate([values, values + 25]), [1, 99])
    assert found == pytest.approx(25 / (high - low), rel=1e-6)


def test_constants_and_nothing_have_a_distance_too() -> None:
    flat = np.full((10, 1), 7, np.uint8)
    assert distances(flat, flat) == (0,)
    assert distances(flat, flat + 1) == (1,)
    assert distances(flat[:0], flat) == ()
    assert cloud_shares(flat[:0], flat[:0]) == (0, 0)


@pytest.mark.parametrize("cloudy", [0.05, 0.6])
def test_cloud_is_counted_however_much_of_it_there_is(cloudy: float) -> None:
    before, after = land(0), land(1)
    count = int(cloudy * len(after))
    after[:count] = 6000
    clear, covered = cloud_shares(before, after)
    assert clear < 0.001
    assert covered == pytest.approx(cloudy, abs=0.001)


def test_what_is_bright_in_one_band_is_no_cloud() -> None:
    before, after = land(0), land(1)
    after[:4000, 0] = 6000
    assert max(cloud_shares(before, after)) < 0.001


def test_white_is_saturated_in_8_bits() -> None:
    dates = np.random.default_rng(0).integers(0, 240, (2, 1000, 3)).astype(np.uint8)
    dates[1, :300] = 255
    assert cloud_shares(*dates) == (0, pytest.approx(0.3))


@pytest.mark.parametrize(("gain", "offset"), [(0.05, 0), (1.5, 0), (1, 1000), (20, 5000)])
def test_other_light_and_other_types_are_no_cloud(gain: float, offset: float) -> None:
    other = (land(1) * gain + offset).astype(np.uint8 if gain < 1 else np.uint16)
    assert max(cloud_shares(land(0), other)) < 0.001
    other[:4000] = 250 if gain < 1 else 60_000
    assert cloud_shares(land(0), other) == pytest.approx((0, 0.1), abs=0.001)


def test_waves_of_much_water_make_no_cloud_of_the_land() -> None:
    rng = np.random.default_rng(0)
    dates = [land(0), land(1)]
    for date, waves in zip(dates, (1, 12), strict=True):
        date[:12_000] = rng.normal(100, waves, (12_000, 3))
    assert max(cloud_shares(*dates)) < 0.001


def test_what_is_bright_at_both_dates_is_no_cloud() -> None:
    dates = land(0), land(1)
    for date in dates:
        date[:1200] = 6000
    assert max(cloud_shares(*dates)) < 0.001
    dates[1][4000:4600] = 6000
    assert cloud_shares(*dates) == pytest.approx((0, 0.015), abs=0.001)
