"""Prediction chip by chip gives what a batch of torch gives, on the CPU, whatever the device."""

from __future__ import annotations

import numpy as np
import pytest
from makers import make_chip, texture

from geochange.chip import Chip
from geochange.config import RunOptions
from geochange.errors import NotFiniteError, OptionError
from geochange.inputs.choose_model import choose_model
from geochange.models import ModelSpec, cached_model
from geochange.models.inference.choose_backend import predict
from geochange.models.inference.predict import run_model

MAPS = {
    **{f"{date}_offset": [100.0, 90.0, 80.0] for date in ("before", "after")},
    **{f"{date}_matrix": np.diag([0.03, 0.04, 0.05]).tolist() for date in ("before", "after")},
    "cut": 1.5,
}


def chips() -> list[Chip]:
    dates = [texture(40, 3, seed).clip(0, 255).astype(np.uint8) for seed in range(6)]
    valid = [np.ones((40, 40), bool), np.zeros((40, 40), bool), np.ones((40, 40), bool)]
    valid[2][5:9, 3] = False
    return [make_chip(*each) for each in zip(dates[::2], dates[1::2], valid, strict=True)]


def test_it_gives_what_a_batch_gives() -> None:
    spec = ModelSpec("cva", "cpu", MAPS)
    found = predict(spec, chips())
    expected = run_model(cached_model(spec), chips(), 2, "cpu")
    np.testing.assert_array_equal(found.logits, expected.logits)
    assert found.scores.shape == expected.scores.shape
    assert found.land.size == expected.land.size == 0
    assert np.isnan(found.logits[1]).all() and np.isnan(found.logits[2, 5:9, 3]).all()


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(NotFiniteError, match=r"classical:ChangeVector answered"):
        predict(ModelSpec("cva", "cpu", {**MAPS, "cut": float("nan")}), chips())


@pytest.mark.parametrize("device", ["auto", "cpu"])
def test_they_compute_on_the_cpu(device: str) -> None:
    assert choose_model("irmad", RunOptions(device=device)).device == "cpu"


def test_a_device_that_is_not_there_is_refused_all_the_same() -> None:
    with pytest.raises(OptionError, match=r"^--device cuda:63: not usable here"):
        choose_model("cva", RunOptions(device="63"))
