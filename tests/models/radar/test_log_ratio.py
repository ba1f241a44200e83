"""The log-ratio models: planted change of backscatter is found, speckle and offsets are not."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from makers import make_chip
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from geochange.chip import Chip
from geochange.models import build
from geochange.models.classical import SIGMA_PX
from geochange.models.inference.batch import collate
from geochange.models.radar.log_ratio import LEAST_DB, log_ratio, unchanged_noise

LOOKS = 4.4
"""Of Sentinel-1's ground range product."""

SIZE = 96
INSIDE = np.s_[30:60, 20:50]
both = pytest.mark.parametrize("name", ["ratio", "ratio-otsu"])


def backscatter(change_db: float, bands: int = 1, seed: int = 0) -> tuple[NDArray[np.float32], ...]:
    """Two dates in decibels: dark and bright ground under speckle, and a square of change."""
    rng = np.random.default_rng(seed)
    ground = -12 + 150 * gaussian_filter(rng.normal(size=(SIZE, SIZE)), 10)
    dates = []
    for change in (0.0, change_db):
        moved = ground.copy()
        moved[INSIDE] += change
        speckle = rng.gamma(LOOKS, 1 / LOOKS, (SIZE, SIZE, bands))
        dates.append((moved[..., None] + 10 * np.log10(speckle)).astype(np.float32))
    return tuple(dates)


def logits_of(name: str, chip: Chip) -> NDArray[np.float32]:
    model = build(name)
    model.adopt(json.loads(json.dumps(build(name).fit([chip]))))
    with torch.no_grad():
        return np.asarray(model.change_logits(collate([chip]))[0])


@both
@pytest.mark.parametrize("change_db", [-8.0, 5.0])
@pytest.mark.parametrize("bands", [1, 2])
def test_a_planted_square_is_found_whole_and_alone(name: str, change_db: float, bands: int) -> None:
    found = logits_of(name, make_chip(*backscatter(change_db, bands))) > 0
    truth = np.zeros((SIZE, SIZE), bool)
    truth[INSIDE] = True
    assert (found & truth).sum() / (found | truth).sum() > 0.8
    near = gaussian_filter(truth.astype(float), 2) > 0.01
    assert found[~near].mean() < 0.002


@both
@pytest.mark.parametrize("offset_db", [0.0, 3.0])
def test_speckle_and_an_offset_of_the_whole_scene_are_no_change(
    name: str, offset_db: float
) -> None:
    before, after = backscatter(0)
    assert (logits_of(name, make_chip(before, after + np.float32(offset_db))) > 0).mean() < 0.002


def test_change_of_one_polarisation_is_enough() -> None:
    before, after = backscatter(0, 2)
    after[INSIDE][..., 1] += 7
    found = logits_of("ratio", make_chip(before, after)) > 0
    assert found[34:56, 24:46].mean() > 0.95


@pytest.mark.parametrize("share", [0.0, 0.1, 0.45])
def test_the_noise_is_that_of_unchanged_ground_up_to_half_a_scene(share: float) -> None:
    rng = np.random.default_rng(5)
    values = rng.normal(1.5, 0.4, 50_000)
    values[: int(share * len(values))] += 6
    middle, deviation = unchanged_noise(values)
    assert middle == pytest.approx(1.5, abs=0.01)
    assert deviation == pytest.approx(0.4, rel=0.03)


def test_power_is_averaged_and_not_decibels() -> None:
    before, after = backscatter(4)
    power = [gaussian_filter(10 ** (d[..., 0].astype(float) / 10), SIGMA_PX, truncate=3.0)
             for d in (before, after)]  # fmt: skip
    found = log_ratio(make_chip(before, after))[0]
    np.testing.assert_allclose(found, 10 * np.log10(power[1] / power[0]), atol=1e-4)


@both
def test_pixels_without_data_neither_teach_nor_count(name: str) -> None:
    before, after = backscatter(5)
    valid = np.ones((SIZE, SIZE), bool)
    valid[:, 70:] = False
    plain = logits_of(name, make_chip(before, after, valid))
    for date in (before, after):
        date[:, 70:] = 60
    np.testing.assert_allclose(logits_of(name, make_chip(before, after, valid)), plain, atol=1e-5)
    assert (plain[:, 70:] < 0).all()


@both
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_handful_of_valid_pixels_give_numbers(name: str, count: int) -> None:
    valid = np.zeros((SIZE, SIZE), bool)
    valid[30, 30 : 30 + count] = True
    assert np.isfinite(logits_of(name, make_chip(*backscatter(5), valid))).all()


@both
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [-300.0, 0.0, 300.0])
def test_even_pictures_are_no_change(name: str, value: float) -> None:
    picture = np.full((40, 40, 2), value, np.float32)
    assert (logits_of(name, make_chip(picture, picture.copy())) < 0).all()


def test_a_chip_of_odd_size_has_the_same_bits_in_any_company() -> None:
    chips = []
    for seed in range(5):
        before, after = backscatter(5, 2, seed)
        chips.append(make_chip(before[:37, :41], after[:37, :41]))
    model = build("ratio")
    model.adopt(model.fit(chips))
    together = model.change_logits(collate(chips))
    apart = [model.change_logits(collate([chip])) for chip in chips]
    assert torch.equal(together, torch.cat(apart))


def test_the_least_change_is_the_accuracy_of_the_sensor() -> None:
    picture = np.full((40, 40, 1), -10, np.float32)
    assert build("ratio").fit([make_chip(picture, picture.copy())])["more"] == [LEAST_DB]
