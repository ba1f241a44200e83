"""The confidence of polygons is fitted to pairs whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from changeclip_cases import SMALL_RESNET
from click.testing import CliRunner
from scipy.special import logit
from unlabelled_pictures import make_pictures

from geochange.chip import UNKNOWN
from geochange.cli.main import cli
from geochange.errors import InputError
from geochange.models.changeclip.network import ChangeClip
from geochange.models.confidence import FEATURES
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.models.weights.model_card import Card
from geochange.workflows import calibrate as calibrating
from geochange.workflows.calibrate import (
    Calibrating,
    _least,
    calibrate,
    polygons_of,
    reliability,
)


def scene() -> tuple[np.ndarray, np.ndarray]:
    """Logits with polygons of 20, 24, 30, 16 and 8 pixels, and what is known of each."""
    logits, label = np.full((40, 40), -5, np.float32), np.zeros((40, 40), np.uint8)
    for (row, col, height, width), z, changed in (
        ((2, 2, 4, 5), 2.0, 5),  # a quarter of it changed
        ((2, 20, 4, 6), 1.5, 5),  # less
        ((12, 2, 5, 6), 3.0, 30),
        ((25, 2, 4, 4), 1.0, 16),  # hardly any of it is known
        ((25, 20, 2, 4), 1.0, 8),  # a speck
    ):
        logits[row : row + height, col : col + width] = z
        part = np.zeros(height * width, np.uint8)
        part[:changed] = 1
        label[row : row + height, col : col + width] = part.reshape(height, width)
    label[25:29, 2:6] = UNKNOWN
    return logits, label


def test_polygons_are_measured_and_judged_by_their_label() -> None:
    found = polygons_of(*scene(), threshold=0.6)
    assert found.truth.tolist()[:3] == [True, False, True]
    assert found.known.tolist() == [True, True, True, False]
    size, outline = (found.features[:, FEATURES.index(name)] for name in ("size", "outline"))
    np.testing.assert_allclose(np.exp(size), [20, 24, 30, 16], rtol=1e-12)
    np.testing.assert_allclose(outline, np.log(4) - np.log([20, 24, 30, 16]) / 2, rtol=1e-12)
    step = 1 / 254 / (0.6 * 0.4)
    np.testing.assert_allclose(found.features[:, 1], [2, 1.5, 3, 1], atol=4 * step)
    assert found.features[0, 2] == pytest.approx(logit(np.rint(254 / (1 + np.exp(-2))) / 254))


def test_the_least_confidence_leaves_a_share_of_unchanged_pixels() -> None:
    found = [polygons_of(*scene(), threshold=0.6)]
    pixels = found[0].pixels
    assert pixels.tolist() == [20, 24, 30, 16]
    weights = (0.0, 0.2, *(0.0,) * 5)  # the mean alone: 0.6, 0.57, 0.65, 0.55
    every = int(pixels.sum())
    assert _least(found, weights, every * 100) == 0.5
    assert _least(found, weights, (every - 16) * 100) == 0.56
    assert _least(found, weights, 30 * 100) == 0.6
    assert _least(found, weights, 100) == 0.65


def test_reliability_counts_polygons() -> None:
    found = reliability(np.array([0.05, 0.85, 0.87, 1.0]), np.array([False, True, False, True]))
    assert found.pixels.tolist() == [1, 0, 0, 0, 0, 0, 0, 0, 2, 1]
    np.testing.assert_allclose(found.stated[[0, 8, 9]], [0.05, 0.86, 1.0])
    np.testing.assert_allclose(found.observed[[0, 8, 9]], [0, 0.5, 1])
    assert np.isnan(found.observed[1])
    assert found.ece == pytest.approx((0.05 + 2 * 0.36 + 0) / 4)


@pytest.mark.slow
def test_a_network_is_calibrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = make_pictures(tmp_path / "pictures")
    torch.manual_seed(6)
    small = ChangeClip(SMALL_RESNET)
    small.decode_head.conv_seg.weight.data *= 40
    first = Checkpoint(Card(SMALL_RESNET, prompts="fixed"), small.state_dict())
    source, out = tmp_path / "in.safetensors", tmp_path / "out.safetensors"
    write_checkpoint(source, first)
    found = calibrate(source, out, data, Calibrating(unchanged=2, planted=2))
    written = read_checkpoint(out)
    assert written.card == replace(first.card, confidence=found.rule)
    assert found.near.pixels.sum() > 0
    assert torch.equal(written.tensors["gamma"], first.tensors["gamma"])
    monkeypatch.setattr(calibrating, "Calibrating", lambda: Calibrating(unchanged=2, planted=2))
    words = ["weights", "calibrate", str(source), str(data), str(tmp_path / "again.safetensors")]
    told = CliRunner().invoke(cli, [*words, "--diagram", str(tmp_path / "sure.png")])
    assert told.exit_code == 0, told.output
    assert read_checkpoint(tmp_path / "again.safetensors").card == written.card
    assert (tmp_path / "sure.png").stat().st_size > 1000
    assert "calibration error" in told.output
    (tmp_path / "none").mkdir()
    refused = CliRunner().invoke(cli, [*words[:3], str(tmp_path / "none"), words[-1]])
    assert isinstance(refused.exception, InputError)
