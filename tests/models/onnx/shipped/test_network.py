"""By onnxruntime, the shipped network answers as by torch, and the same to the bit in any company."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from makers import noise
from numpy.typing import NDArray
from scipy.special import expit

from geochange.chip import Chip
from geochange.errors import InputError
from geochange.grid.probability_bytes import MAX_BYTE
from geochange.land_cover import NO_LAND_CLASS
from geochange.landscape import make_landscape
from geochange.models.detector import DetectorSpec
from geochange.models.inference import cpu_prediction
from geochange.models.inference.cpu_prediction import predict_chips
from geochange.models.inference.predict import run_model
from geochange.models.inference.prediction import Prediction
from geochange.models.onnx.shipped.land import NO_CHANGE_LOGIT, OnlyClasses
from geochange.models.onnx.shipped.network import ShippedNetwork, build_shipped
from geochange.models.weights.locate import SHIPPED

CHECKPOINT = SHIPPED["changeclip-small"]
SIDE = 84
"""Not a multiple of 32, so that pictures are padded."""


@cache
def chips() -> list[Chip]:
    """Two chips with things that came and went, one of them without data in a corner; and noise."""
    land = make_landscape(512)
    spots = [(slice(r, r + SIDE), slice(c, c + SIDE)) for r, c in ((0, 0), (120, 150))]
    found = [Chip(land.before[s], land.after[s], np.ones((SIDE, SIDE), np.bool_)) for s in spots]
    found[1].valid[:20, :30] = False
    shape = (SIDE, SIDE, 3)
    return [*found, Chip(noise(shape, 1), noise(shape, 2), np.ones(shape[:2], np.bool_))]


def by_torch(only: tuple[str, ...] = (), prompts: Any = None) -> Prediction:
    spec = DetectorSpec(str(CHECKPOINT), precision="float32", only=only, prompts=prompts)
    return run_model(spec.build(), chips(), 4, "cpu")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("only", "prompts"),
    [((), None), (("building", "road"), "published")],
)
def test_it_answers_as_torch_does(only: tuple[str, ...], prompts: str | None) -> None:
    expected = by_torch(only, prompts)
    found = predict_chips(ShippedNetwork(CHECKPOINT, prompts, only), chips())
    np.testing.assert_allclose(found.logits, expected.logits, atol=1e-3)
    steps = np.abs(expit(found.logits) - expit(expected.logits)) * MAX_BYTE
    assert np.nanmax(steps) < 0.05
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-3)
    if only:  # else it looks where polygons need it, when they are known
        assert (found.land != NO_LAND_CLASS).any()
        assert (found.land == expected.land).mean() > 0.9999


@pytest.fixture(scope="module")
def network() -> ShippedNetwork:
    return ShippedNetwork(CHECKPOINT)


def same(one: Prediction, other: Prediction) -> bool:
    pairs = zip(vars(one).values(), vars(other).values(), strict=True)
    return all(np.array_equal(a, b, equal_nan=a.dtype != np.uint8) for a, b in pairs)


@pytest.mark.slow
def test_threads_and_company_change_no_bit(
    network: ShippedNetwork, monkeypatch: pytest.MonkeyPatch
) -> None:
    many = chips()
    together = predict_chips(network, many)
    with ThreadPoolExecutor(1) as alone:
        monkeypatch.setattr(cpu_prediction, "_cores", lambda: alone)
        assert same(predict_chips(network, many), together)
        for place, chip in enumerate(many):
            one = predict_chips(network, [chip])
            np.testing.assert_array_equal(one.logits[0], together.logits[place])
            np.testing.assert_array_equal(one.land[0], together.land[place])


@pytest.mark.slow
def test_where_no_data_is_nothing_is_said(network: ShippedNetwork) -> None:
    whole = chips()[1]
    nothing = replace(whole, valid=np.zeros_like(whole.valid))
    found = predict_chips(network, [whole, nothing])
    assert np.isnan(found.logits[0][~whole.valid]).all()
    assert np.isfinite(found.logits[0][whole.valid]).all()
    assert np.isnan(found.logits[1]).all()
    assert np.isnan(found.scores[1]).all()
    assert (found.land[1] == NO_LAND_CLASS).all()


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_pixels_at_which_nobody_looked_keep_their_change_without_a_warning() -> None:
    land = np.full((2, 3, 2, 2), np.nan, np.float32)
    land[:, :, 0, 0] = [9, 0, 0], [0, 9, 0]
    land[:, :, 0, 1] = [0, 9, 0], [0, 9, 0]
    masked = OnlyClasses((0,), 3).mask(np.full((2, 2), 3, np.float32), land)
    np.testing.assert_array_equal(masked, [[3, NO_CHANGE_LOGIT], [3, 3]])


@pytest.mark.slow
def test_land_is_seen_everywhere_if_asked_for(network: ShippedNetwork) -> None:
    land: NDArray[np.uint8] = network.land(chips()[0])
    assert land.shape == (2, SIDE, SIDE)
    assert land.max() < len(network.land_classes)


@pytest.mark.parametrize(
    "pixels", [np.zeros((SIDE, SIDE, 4), np.uint8), np.full((32, 32, 3), 300.0)]
)
def test_pixels_that_are_no_8_bit_rgb_are_refused(
    network: ShippedNetwork, pixels: NDArray[Any]
) -> None:
    chip = Chip(pixels, pixels, np.ones(pixels.shape[:2], np.bool_))
    with pytest.raises(InputError, match="RGB"):
        predict_chips(network, [chip])


def test_other_checkpoints_are_refused() -> None:
    with pytest.raises(InputError, match="use --engine torch"):
        build_shipped("other.safetensors", {"prompts": None, "only": (), "likely": None})
