"""Planted shifts are found to a tenth of a pixel; no shift is reported without evidence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from dated_scenes import ground, pair_of, shifted_image
from makers import make_raster

from geochange.raster.bands import Bands
from geochange.raster.pair import align_pair
from geochange.raster.reader import inspect_raster
from geochange.raster.scene.coregistration import NEGLIGIBLE_PX, Shift, measure_shift
from geochange.raster.scene.sampling import SceneSample


def measured(folder: Path, before: np.ndarray, after: np.ndarray, **profile: float) -> Shift:
    return measure_shift(SceneSample(pair_of(folder, before, after, **profile)))


@pytest.mark.slow
@pytest.mark.parametrize("planted", [(1.4, -2.3), (0.0, 0.0), (-0.6, 0.9), (7.5, 12.25)])
@pytest.mark.parametrize("size", [200, 700])
def test_a_planted_shift_is_found(tmp_path: Path, planted: tuple[float, float], size: int) -> None:
    before = ground(size)
    found = measured(tmp_path, before, shifted_image(before, planted))
    assert (found.row_px, found.col_px) == pytest.approx(planted, abs=0.1)
    assert found.confidence > 0.9
    assert found.spread_px < 0.25
    assert found.needs_correction == (np.hypot(*planted) > NEGLIGIBLE_PX)


@pytest.mark.slow
@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("factor", [1e-6, 1e15, 4e16])
def test_the_unit_of_the_numbers_is_no_matter(tmp_path: Path, factor: float) -> None:
    """Values up to 1e19 are data, and their squares and sums exceed float32."""
    before = ground(200)
    paths = [
        make_raster(tmp_path / name, (pixels.astype(np.float64) * factor).astype(np.float32))
        for name, pixels in (("b.tif", before), ("a.tif", shifted_image(before, (1.4, -2.3))))
    ]
    pair = align_pair(*map(inspect_raster, paths), "before", Bands((1,), (1,)))
    found = measure_shift(SceneSample(pair))
    assert (found.row_px, found.col_px) == pytest.approx((1.4, -2.3), abs=0.1)
    assert found.confidence > 0.9


@pytest.mark.slow
def test_change_in_half_of_the_scene_does_not_turn_it(tmp_path: Path) -> None:
    before = ground(700)
    after = shifted_image(before, (1.4, -2.3))
    after[:, :320] = shifted_image(ground(700, seed=9), (0, 0))[:, :320]
    found = measured(tmp_path, before, after)
    assert (found.row_px, found.col_px) == pytest.approx((1.4, -2.3), abs=0.1)
    assert found.needs_correction


@pytest.mark.slow
def test_nodata_in_one_place_at_both_dates_does_not_hold_it_back(tmp_path: Path) -> None:
    before = ground(500)
    after = shifted_image(before, (1.4, -2.3))
    for date in (before, after):
        date[100:300, 150:260] = 0
    found = measured(tmp_path, before, after, nodata=0)
    assert (found.row_px, found.col_px) == pytest.approx((1.4, -2.3), abs=0.1)


@pytest.mark.parametrize("size", [300, 20])
def test_flat_pictures_say_nothing(tmp_path: Path, size: int) -> None:
    flat = np.full((size, size), 80, np.float32)
    found = measured(tmp_path, flat, flat + 20)
    assert found.votes == 0
    assert not found.trusted
    assert not found.needs_correction
    assert "places show the same" in found.why_untrusted


@pytest.mark.slow
def test_two_places_say_nothing_in_common(tmp_path: Path) -> None:
    found = measured(tmp_path, ground(700), ground(700, seed=5))
    assert not found.trusted
    rng = np.random.default_rng(3)
    noise = rng.uniform(0, 255, (2, 700, 700))
    assert not measured(tmp_path, *noise).trusted


@pytest.mark.slow
def test_it_is_told_in_plain_values(tmp_path: Path) -> None:
    before = ground(200)
    told = measured(tmp_path, before, shifted_image(before, (1.4, -2.3))).to_json()
    assert told["row_px"] == pytest.approx(1.4, abs=0.1)
    assert told["trusted"] is True
    assert {type(value) for value in told.values()} == {float, int, bool}
