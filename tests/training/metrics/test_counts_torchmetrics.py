"""The same measures by torchmetrics, batch by batch."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchmetrics.classification import (
    BinaryAccuracy,
    BinaryCohenKappa,
    BinaryF1Score,
    BinaryJaccardIndex,
    BinaryPrecision,
    BinaryRecall,
    MulticlassJaccardIndex,
)

from geochange.chip import UNKNOWN
from geochange.training.metrics.counts import Counts

pytestmark = pytest.mark.slow


def test_figures_are_those_of_torchmetrics() -> None:
    draw = np.random.default_rng(3)
    given = {"ignore_index": UNKNOWN}
    theirs = {
        "iou": BinaryJaccardIndex(**given),
        "f1": BinaryF1Score(**given),
        "precision": BinaryPrecision(**given),
        "recall": BinaryRecall(**given),
        "accuracy": BinaryAccuracy(**given),
        "miou": MulticlassJaccardIndex(2, **given),
        "kappa": BinaryCohenKappa(**given),
    }
    counts = Counts()
    for share in (0.0, 0.1, 0.7):
        label = (draw.random((30, 20)) < share).astype(np.uint8)
        changed = (label == 1) ^ (draw.random(label.shape) < 0.2)
        label[:3] = UNKNOWN
        counts += Counts.of(changed, label)
        for metric in theirs.values():
            metric.update(torch.from_numpy(changed).int(), torch.from_numpy(label).int())
    expected = {name: metric.compute().item() for name, metric in theirs.items()}
    assert dict(counts.figures()) == pytest.approx(expected, abs=1e-6)
