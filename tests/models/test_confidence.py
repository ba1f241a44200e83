"""The confidence of polygons: features, weights, and weights that are refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from changeclip_cases import SMALL_RESNET
from scipy.special import logit

from geochange.errors import InputError
from geochange.models.confidence import (
    FAR_M,
    FEATURES,
    ConfidenceRule,
    confidence_of,
    features_of,
)
from geochange.models.weights.model_card import Card

NEAR, FAR = (0.5, 1.0, -2.0, 0.25, 0.0, 0.0, 0.0), (0.0,) * len(FEATURES)
ONLY = (-1.0, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0)
RULE = ConfidenceRule(NEAR, FAR, ONLY, 0.55)


def test_features_are_those_of_the_polygon() -> None:
    mean, peak, pixels, corners = np.array([[0.6, 1.0], [0.9, 1.0], [64.0, 16.0], [4.0, 12.0]])
    features = features_of(mean, peak, pixels, corners)
    surest = logit(1 - 0.5 / 254)
    one, two = np.log(64), np.log(16)
    expected = [
        [1, logit(0.6), logit(0.9), one, np.log(4 / 8), logit(0.6) * one, logit(0.9) * one],
        [1, surest, surest, two, np.log(12 / 4), surest * two, surest * two],
    ]
    np.testing.assert_allclose(features, expected, rtol=1e-12)
    assert features.shape[1] == len(FEATURES)


def test_confidence_is_logistic() -> None:
    features = np.array([[1.0, 2.0, 1.0, 4.0, 0.0, 8.0, 4.0]])
    assert confidence_of(features, NEAR) == pytest.approx([1 / (1 + np.exp(-1.5))], rel=1e-12)


def test_the_size_of_pixels_chooses_the_weights() -> None:
    assert RULE.weights(FAR_M) == NEAR
    assert RULE.weights(FAR_M * 1.01) == FAR
    assert (RULE.least(FAR_M), RULE.least(FAR_M * 1.01)) == (0.55, 0.0)


def test_where_classes_are_asked_for_another_rule_holds_near() -> None:
    rule = RULE.of_classes()
    assert rule is not None
    assert (rule.weights(1.0), rule.least(1.0)) == (ONLY, 0.0)
    assert rule.weights(10.0) == ()
    assert ConfidenceRule(NEAR, FAR).of_classes() is None


def test_a_card_keeps_the_rule() -> None:
    card = Card(SMALL_RESNET, confidence=RULE)
    assert Card.from_json(card.to_json()) == card
    assert "confidence" not in json.loads(Card(SMALL_RESNET).to_json())
    earlier = {"near": list(NEAR), "far": list(FAR)}  # as earlier versions wrote it
    assert ConfidenceRule.of_json(earlier) == ConfidenceRule(NEAR, FAR)


@pytest.mark.parametrize(
    "hostile",
    [
        [],
        {"near": list(NEAR)},
        {"near": list(NEAR), "far": list(NEAR), "further": list(NEAR)},
        {"near": list(NEAR), "far": list(NEAR[:-1])},
        {"near": list(NEAR), "far": "0000000"},
        {"near": list(NEAR), "far": list(FAR), "only": list(NEAR[:-1])},
        *({"near": list(NEAR), "far": list(FAR), "least_near": odd} for odd in (1.5, "1", True)),
        *({"near": list(NEAR), "far": [*NEAR[:-1], odd]} for odd in (1e9, True, None, "1", [1])),
        *({"near": [*NEAR[:-1], odd], "far": list(FAR)} for odd in (float("nan"), float("inf"))),
    ],
)
def test_hostile_weights_are_refused(hostile: Any) -> None:
    values = json.loads(Card(SMALL_RESNET).to_json()) | {"confidence": hostile}
    with pytest.raises(InputError, match=r"confidence|card cannot be read"):
        Card.from_json(json.dumps(values))
