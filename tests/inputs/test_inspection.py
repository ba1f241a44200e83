"""Inspection: the warnings that a pair deserves, and no others."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from dated_scenes import ground, shifted_image
from makers import NORTH_UP, make_raster, noise

from geochange.config import CheckOptions
from geochange.inputs.inspection import Comparison, Inspection, coregister, inspect_scene
from geochange.inputs.open_pair import open_pair
from geochange.models.catalogue import scope_of
from geochange.raster.scene.sampling import SceneSample
from geochange.workflows.inspect_pair import inspect_pair

SIZE = 400


def write(path: Path, pixels: np.ndarray, **profile: Any) -> Path:
    return make_raster(path, np.clip(np.rint(pixels), 0, 255).astype(np.uint8), **profile)


def seen(folder: Path, before: np.ndarray, after: np.ndarray, **profile: Any) -> Inspection:
    return inspect_pair(write(folder / "b.tif", before), write(folder / "a.tif", after, **profile))


def same_light(pixels: np.ndarray, seed: int = 3) -> np.ndarray:
    return np.asarray(pixels + np.random.default_rng(seed).normal(0, 4, pixels.shape))


@pytest.mark.slow
def test_of_a_sound_pair_nothing_is_said(tmp_path: Path) -> None:
    found = seen(tmp_path, ground(SIZE), same_light(ground(SIZE)))
    assert found.warnings == ()
    told = found.to_json()
    assert told["warnings"] == []
    assert told["dates"] == {"before": None, "after": None}
    assert told["shift_px"] == pytest.approx([0, 0], abs=0.05)
    assert told["common_ground"] == pytest.approx(
        {"km2": 16.0, "of_before": 1.0, "of_after": 1.0}, rel=2e-3
    )
    assert told["coregistered_px"] is None
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@pytest.mark.slow
def test_a_shift_is_told_with_its_cure(tmp_path: Path) -> None:
    found = seen(tmp_path, ground(SIZE), same_light(shifted_image(ground(SIZE), (0, 1.9))))
    (warning,) = (line for line in found.warnings if "lies" in line and "px" in line)
    assert (
        warning
        == "after lies 1.9 px east (19 m) of before, so edges show as change; --coregister corrects it"
    )
    assert found.to_json()["shift_px"] == pytest.approx([0, 1.9], abs=0.1)
    assert found.to_json()["shift_towards"] == "east"


def test_what_cannot_be_told_is_null(tmp_path: Path) -> None:
    found = seen(tmp_path, np.full((SIZE, SIZE), 90.0), np.full((SIZE, SIZE), 90.0))
    told = found.to_json()
    assert told["shift_px"] is None
    assert told["shift_m"] is None
    assert told["shift"]["trusted"] is False
    assert json.dumps(told, allow_nan=False)


@pytest.mark.slow
def test_a_pair_is_put_back_and_measured_again(tmp_path: Path) -> None:
    from dated_scenes import pair_of

    sample = SceneSample(pair_of(tmp_path, ground(SIZE), shifted_image(ground(SIZE), (1.4, -2.3))))
    better, found = coregister(sample, inspect_scene(sample))
    assert better.pair.after.shift_px == found.put_back == pytest.approx((1.4, -2.3), abs=0.1)
    assert found.residual is not None
    assert found.residual.length_px < 0.1
    assert "corrected, 0." in found.warnings[0]
    assert found.to_json()["coregistered_px"] == list(found.put_back)
    again, untouched = coregister(better, inspect_scene(better))
    assert again is better
    assert untouched.put_back is None


@pytest.mark.slow
def test_dates_are_compared(tmp_path: Path) -> None:
    pixels = ground(SIZE)
    names = ("b_20200710.tif", "a_20190105.tif")
    found = inspect_pair(*(write(tmp_path / name, same_light(pixels)) for name in names))
    assert found.to_json()["dates"] == {"before": "2020-07-10", "after": "2019-01-05"}
    assert "what was built is shown as gone" in found.warnings[0]
    assert "178 days apart in the year" in found.warnings[1]


@pytest.mark.slow
def test_cloud_nodata_and_light_are_told(tmp_path: Path) -> None:
    pixels = ground(SIZE) / 3
    after = same_light(pixels)
    after[:60] = 254
    assert any(
        "15% of the ground is as bright as cloud in after alone" in line
        for line in seen(tmp_path, pixels, after).warnings
    )
    after = same_light(pixels)
    after[: SIZE * 3 // 4] = 255
    found = seen(tmp_path, pixels, after, nodata=255)
    assert found.warnings[0].startswith("75% of the common ground is nodata in after, and nothing")
    assert found.after.nodata == pytest.approx(0.75, abs=0.001)
    # Other light is other light: no cloud, and with a match or a model that adapts nothing at all.
    found = seen(tmp_path, pixels, pixels * 2 + 60)
    assert len(found.warnings) == 1 and "--match histogram" in found.warnings[0]
    sample = SceneSample(open_pair(tmp_path / "b.tif", tmp_path / "a.tif", CheckOptions())[0])
    for how in (Comparison(match="histogram"), Comparison(scope=scope_of("cva"))):
        assert inspect_scene(sample, how).warnings == ()


@pytest.mark.slow
def test_what_a_stretch_evens_out_is_not_warned_of(tmp_path: Path) -> None:
    """Sentinel-2 products of before and after 2022 differ by 1000 in every band."""
    pixels = np.random.default_rng(0).normal(2000, 300, (64, 64, 3))
    made = [
        make_raster(tmp_path / f"{name}.tif", (pixels + add).astype(np.uint16))
        for name, add in (("before", 0), ("after", 1000))
    ]
    found = inspect_pair(*made)
    assert max(found.histogram_distance) < 0.01 and found.warnings == ()
    sample = SceneSample(open_pair(*made, CheckOptions())[0])
    assert "histograms lie" in inspect_scene(sample, Comparison("none")).warnings[0]


@pytest.mark.slow
def test_coarser_smaller_and_of_another_type(tmp_path: Path) -> None:
    pixels = ground(SIZE)
    coarse = NORTH_UP @ Affine.scale(3)
    found = inspect_pair(
        write(tmp_path / "b.tif", pixels),
        make_raster(tmp_path / "a.tif", pixels[:133, :133].astype(np.uint16), transform=coarse),
    )
    told = " ".join(found.warnings)
    assert "after is 3.0 times coarser: nothing below 30 m" in told
    assert "before is uint8, after uint16" in told
    far = NORTH_UP @ Affine.translation(SIZE - 20, 0)
    found = seen(tmp_path, pixels, pixels, transform=far)
    assert "the dates share 5.0% of before, and nothing else is compared" in " ".join(
        found.warnings
    )
    assert math.isclose(found.ground.of_after, 0.05, rel_tol=1e-3)


def test_a_file_against_itself_is_said(tmp_path: Path) -> None:
    one = make_raster(tmp_path / "one.tif", noise((64, 64, 3)))
    seen = inspect_pair(one, one)
    assert "the same file" in seen.warnings[0]
