"""Validation of land cover: IoU by set and class, if a set can tell."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from changeclip_cases import SMALL_LITE
from numpy.typing import NDArray

from geochange.land_cover import CLASSES
from geochange.models.changeclip.network import ChangeClip
from geochange.trainer import land_cover_validation
from geochange.trainer.land_cover_validation import validate_land
from geochange.training.data.land_cover_pictures import ANY_CLASS, LandPictures, LandSet

pytestmark = pytest.mark.slow

BUILDING, ROAD = 1, 2
NOT_BUILDING = ANY_CLASS & ~BUILDING


@pytest.fixture(scope="module")
def network() -> ChangeClip:
    torch.manual_seed(0)
    return ChangeClip(SMALL_LITE)


def said(monkeypatch: pytest.MonkeyPatch, classes: NDArray[np.int64]) -> None:
    """Let the network predict these classes, for any part of the image."""
    monkeypatch.setattr(
        land_cover_validation, "land_classes", lambda _, p: classes[: len(p), : p.shape[1]]
    )


def one(name: str, allowed: list[list[int]]) -> LandSet:
    label = np.array(allowed, np.uint8)
    return LandSet(name, [np.zeros((*label.shape, 3), np.uint8)], [label])


def test_iou_counts_what_is_known_alone(
    network: ChangeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(monkeypatch, np.array([[0, 0, 0, 2]]))
    # True positive, false positive, unknown, false negative.
    sets = (one("towns", [[BUILDING, NOT_BUILDING, 0, BUILDING]]),)
    figures = validate_land(network, LandPictures(sets))
    assert figures.iou == {("towns", "building"): 1 / 3}
    assert figures.building == pytest.approx(1 / 3)
    assert figures.to_metrics() == {"building_iou": 1 / 3, "building_iou_towns": 1 / 3}


def test_the_mean_is_over_sets_that_label_buildings_alone(
    network: ChangeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    said(monkeypatch, np.array([[0, 0]]))
    sets = (
        one("towns", [[BUILDING, NOT_BUILDING]]),
        one("all", [[BUILDING, ROAD]]),
        one("sure", [[BUILDING, 0]]),  # its labels cannot show false buildings
    )
    figures = validate_land(network, LandPictures(sets))
    assert set(figures.iou) == {("towns", "building"), ("all", "building"), ("all", "road")}
    assert figures.building == figures.iou["towns", "building"] == 0.5


def test_a_large_picture_is_seen_in_parts(
    network: ChangeClip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(land_cover_validation, "WINDOW_PX", 40)
    sets = (one("towns", [[BUILDING, NOT_BUILDING] * 45] * 70),)
    figures = validate_land(network, LandPictures(sets))
    assert 0 <= figures.building <= 1
    assert network.training
    assert set(figures.iou) == {("towns", CLASSES[0])}
