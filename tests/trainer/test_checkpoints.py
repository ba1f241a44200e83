"""CheckpointKeeper: selects the best validation, and restores the state of a training."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
import torch
from changeclip_cases import SMALL, small

from geochange.config import TrainOptions
from geochange.errors import RunError
from geochange.models.weights.checkpoint import read_checkpoint
from geochange.models.weights.model_card import Card
from geochange.models.weights.resume_state import read_facts
from geochange.trainer.checkpoints import (
    ENOUGH_CHANGED_CHIPS,
    CheckpointKeeper,
    TrainingProgress,
    calibrate,
)
from geochange.trainer.preparation import CALIBRATED, PreparedTraining
from geochange.trainer.validation import ValidationResult
from geochange.training.metrics.calibration import LogitHistogram
from geochange.training.metrics.counts import Counts

pytestmark = pytest.mark.slow


def test_any_validation_beats_none() -> None:
    assert TrainingProgress().is_beaten(0.0, 5.0)


@pytest.mark.parametrize(
    ("figure", "loss", "beaten"),
    [(0.6, 9.0, True), (0.4, 0.0, False), (0.5, 0.1, True), (0.5, 0.3, False), (0.5, 0.2, True)],
    ids=["higher", "lower", "equal, less loss", "equal, more loss", "equal, later"],
)
def test_of_equals_the_one_with_less_loss_is_the_best(
    figure: float, loss: float, beaten: bool
) -> None:
    assert TrainingProgress(step=3, best=0.5, best_loss=0.2).is_beaten(figure, loss) is beaten


def test_how_far_a_training_is_survives_json() -> None:
    for reached in (TrainingProgress(), TrainingProgress(7, 0.25, 0.1, (1 / 3, 2e-9), 12.5)):
        facts = json.loads(json.dumps({**asdict(reached), "options": {}, "calibrated": True}))
        assert TrainingProgress.of(facts) == reached
    assert TrainingProgress.of({"step": 3, "best": 0.5}) == TrainingProgress(3, 0.5, math.inf)


class Pupil:
    """Like a TrainingState with one network."""

    def __init__(self) -> None:
        self.best_network = small("vit")
        self.finite = True

    def state(self) -> dict[str, torch.Tensor]:
        return {"optimiser.step": torch.ones(1)}

    def check(self, step: int) -> None:
        if not self.finite:
            raise RunError("not finite")


def keeper(tmp_path: Path, place: Path, **data: Any) -> tuple[CheckpointKeeper, Pupil]:
    values = {"prompts": {"mode": "fixed"}, "data": data}
    none: Any = SimpleNamespace()
    prepared = PreparedTraining(TrainOptions.parse(values), tmp_path, place, none, none, None)
    pupil = Pupil()
    given: Any = pupil
    return CheckpointKeeper(prepared, given, Card(SMALL["vit"]), {"train": "a", "val": "b"}), pupil


def test_a_card_names_the_data_that_were_learnt_from(tmp_path: Path) -> None:
    kept, _ = keeper(tmp_path, tmp_path / "OTHER", name="SYSU-CD", root=str(tmp_path / "OTHER"))
    kept.keep(TrainingProgress(4, 0.5, 0.1, (0.25,), 3.0), {"iou": 0.5}, best=False)
    card, facts = read_checkpoint(kept.last).card, read_facts(kept.last)
    assert (card.provenance["data"], card.provenance["step"]) == ("OTHER", "4")
    assert facts["data"] == {"train": "a", "val": "b"}
    assert TrainingProgress.of(facts) == TrainingProgress(4, 0.5, 0.1, (0.25,), 3.0)
    assert not kept.best.exists()


def test_the_last_is_the_best_where_it_is_as_good(tmp_path: Path) -> None:
    kept, _ = keeper(tmp_path, tmp_path)
    kept.keep(TrainingProgress(2, 0.5), {"iou": 0.5}, best=True)
    best = kept.best.read_bytes()
    assert kept.last.read_bytes() == best
    kept.keep(TrainingProgress(4, 0.5), {"iou": 0.4}, best=False)
    assert kept.best.read_bytes() == best != kept.last.read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {kept.best.name, kept.last.name}


def test_weights_that_are_no_numbers_are_not_kept(tmp_path: Path) -> None:
    kept, pupil = keeper(tmp_path, tmp_path)
    pupil.finite = False
    with pytest.raises(RunError):
        kept.keep(TrainingProgress(4), {}, best=True)
    assert list(tmp_path.iterdir()) == []


def test_what_is_calibrated_says_so_and_keeps_what_it_knew(tmp_path: Path) -> None:
    kept, _ = keeper(tmp_path, tmp_path)
    kept.keep(TrainingProgress(4), {"iou": 0.5}, best=True)
    assert CALIBRATED not in read_facts(kept.best)
    logits = torch.linspace(-4, 4, 64).reshape(8, 8).numpy()
    label = (logits > 1).astype("uint8")
    histogram = LogitHistogram.of(logits, label)
    calibrate(kept.best, ValidationResult(Counts.of(logits > 0, label), 1.0, histogram))
    facts, card = read_facts(kept.best), read_checkpoint(kept.best).card
    assert facts == {**read_facts(kept.last), CALIBRATED: True}
    assert card.metrics["f1_at_threshold"] >= card.metrics["f1"]
    assert replace(card, metrics={}, threshold=0.5, temperature=1.0) == replace(
        read_checkpoint(kept.last).card, metrics={}
    )


def calibrated(tmp_path: Path, chips: int, start: Card | None) -> Card:
    """The card after a fit to logits that are four times too large and are best cut at 2."""
    kept, _ = keeper(tmp_path, tmp_path)
    kept.prepared = replace(kept.prepared, start=start)
    kept.keep(TrainingProgress(4), {"iou": 0.5}, best=True)
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (64, 64)).astype("float32")
    label = (rng.random((64, 64)) < 1 / (1 + np.exp((2 - logits) / 4))).astype("uint8")
    histogram = LogitHistogram.of(logits, label)
    counts = Counts.of(logits > 0, label)
    calibrate(kept.best, ValidationResult(counts, 1.0, histogram, changed_chips=chips))
    return read_checkpoint(kept.best).card


def test_few_chips_move_threshold_and_temperature_little(tmp_path: Path) -> None:
    start = Card(SMALL["vit"], threshold=0.3, temperature=0.8)
    none, few, many = (
        calibrated(tmp_path, count, start)
        for count in (0, ENOUGH_CHANGED_CHIPS // 2, ENOUGH_CHANGED_CHIPS)
    )
    assert (none.threshold, none.temperature) == pytest.approx((0.3, 0.8))
    assert few.temperature == pytest.approx((none.temperature * many.temperature) ** 0.5)
    assert min(none.threshold, many.threshold) < few.threshold < max(none.threshold, many.threshold)
    assert many.temperature > 2
    assert calibrated(tmp_path, 2 * ENOUGH_CHANGED_CHIPS, start) == replace(many, provenance=ANY)


def test_a_network_from_nothing_starts_at_one_half(tmp_path: Path) -> None:
    card = calibrated(tmp_path, 0, None)
    assert (card.threshold, card.temperature) == pytest.approx((0.5, 1.0))
