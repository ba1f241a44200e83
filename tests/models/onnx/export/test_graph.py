"""The module that is exported answers as the detector, for every tower and way of prompting."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from changeclip_cases import SMALL, SMALL_LITE, fill_by_name, pictures, small_clip

from geochange.errors import InputError
from geochange.models.changeclip.network import ChangeClip
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.batch import Batch
from geochange.models.onnx.export.graph import ChangeClipGraph, StackedGraph
from geochange.models.prompts import PromptMode
from geochange.models.weights.checkpoint import Checkpoint
from geochange.models.weights.model_card import OWN_CLIP, Card

pytestmark = pytest.mark.slow

OPTIONS = {**SMALL, "lite": SMALL_LITE}


def detector(kind: str, prompts: PromptMode) -> ChangeClipDetector:
    network = ChangeClip(OPTIONS[kind])
    fill_by_name(network)
    card = Card(OPTIONS[kind], prompts=prompts, temperature=1.7, clip=OWN_CLIP)
    checkpoint = Checkpoint(card, network.state_dict(), small_clip().state_dict())
    return DetectorSpec("", precision="float32").of(checkpoint)


@pytest.mark.parametrize(
    ("kind", "prompts"),
    [
        *(("resnet", mode) for mode in ("per-date", "published", "fixed")),
        ("vit", "per-date"),
        ("lite", "fixed"),
    ],
)
def test_a_graph_answers_as_the_detector(kind: str, prompts: PromptMode) -> None:
    made = detector(kind, prompts)
    before, after = pictures(2, 64, 96, 1), pictures(2, 64, 96, 2)
    batch = Batch(before, after, torch.ones(2, 64, 96, dtype=torch.bool))
    graph = ChangeClipGraph(made).eval()
    with torch.no_grad():
        expected = made.change_logits(batch)
        found = graph(before.float(), after.float())
        stacked = StackedGraph(graph)(torch.cat([before, after], dim=1) / 255)
    change, *land = found if isinstance(found, tuple) else (found,)
    torch.testing.assert_close(change[:, 0], expected, atol=1e-4, rtol=1e-4)
    assert len(land) == (2 if kind == "lite" else 0)
    for date, seen in enumerate(land):
        numbers = made.land(batch)[:, date]
        assert (seen.argmax(dim=1).to(torch.uint8) == numbers).all()
    torch.testing.assert_close(stacked[:, 0], torch.sigmoid(expected), atol=1e-4, rtol=0)
    assert expected.std() > 0.1


def test_a_detector_without_clip_needs_fixed_prompts() -> None:
    made = detector("resnet", "per-date")
    made.scorer = None
    with pytest.raises(InputError, match="export with --prompts fixed"):
        ChangeClipGraph(made)


def test_another_temperature_is_another_logit() -> None:
    made = detector("resnet", "fixed")
    warm = ChangeClipGraph(made)
    made.card = replace(made.card, temperature=3.4)
    dates = pictures(1, 64, 64, 1).float(), pictures(1, 64, 64, 2).float()
    with torch.no_grad():
        torch.testing.assert_close(warm(*dates), 2 * ChangeClipGraph(made)(*dates))
