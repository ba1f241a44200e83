"""Checkpoints of a training, each with all that `run` and `--resume` need."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scipy.special import expit, logit

from geochange import __version__
from geochange.files.atomic import atomic_path
from geochange.models.weights.checkpoint import (
    Checkpoint,
    read_checkpoint,
    read_clip,
    read_training,
    write_checkpoint,
)
from geochange.models.weights.convert import for_clip
from geochange.models.weights.model_card import OWN_CLIP, Card
from geochange.models.weights.resume_state import ResumeState, read_facts
from geochange.trainer.checkpoint_to_resume import BEST, LAST
from geochange.trainer.preparation import CALIBRATED, LEAST_SCORE, PreparedTraining
from geochange.trainer.recipe import WITH_OWN_CLIP
from geochange.trainer.validation import ValidationResult
from geochange.training.data.scenes import class_meanings, classes_in
from geochange.training.training_state import TrainingState

logger = logging.getLogger(__name__)

INITIAL_CALIBRATION = "prior"
"""The fact with threshold and temperature of the initial model."""

ENOUGH_CHANGED_CHIPS = 12
"""From this number of changed validation chips, fitted threshold and temperature are used
unchanged.
"""


@dataclass(frozen=True, slots=True)
class TrainingProgress:
    """The progress of a training.

    step: steps taken. best, best_loss: the best figure of a validation, and its loss. losses: of
    the steps since the last line of metrics.csv. seconds: so far, including those before an
    interruption.
    """

    step: int = 0
    best: float = -1.0
    best_loss: float = math.inf
    losses: tuple[float, ...] = ()
    seconds: float = 0.0

    def is_beaten(self, figure: float, loss: float) -> bool:
        """Whether a validation is better: by its figure, then by its loss; a later one wins a tie."""
        return (figure, -loss) >= (self.best, -self.best_loss)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> TrainingProgress:
        """Read the progress from the facts of a checkpoint."""
        known = {each.name: facts[each.name] for each in fields(cls) if each.name in facts}
        return cls(**{**known, "losses": tuple(facts.get("losses", ()))})


class CheckpointKeeper:
    """Writes best.safetensors and last.safetensors, and resumes from the latter.

    data: the fingerprint of the chips of both splits.
    """

    def __init__(
        self,
        prepared: PreparedTraining,
        training_state: TrainingState,
        card: Card,
        data: Mapping[str, str],
    ) -> None:
        self.prepared, self.training_state, self.data = prepared, training_state, data
        self.best, self.last = prepared.out / BEST, prepared.out / LAST
        own = prepared.own_clip
        self.clip = read_clip(str(own)).tensors if own else {}
        beside = prepared.land_start
        self.beside = for_clip(read_checkpoint(beside), self.clip) if beside else None
        self.card = replace(
            _with_naming_rule(card, prepared),
            land=self.beside.card.land if self.beside else card.land,
            prompts=prepared.options.prompts.mode or card.prompts,
            vocabulary=prepared.vocabulary() or card.vocabulary,
            clip=OWN_CLIP if self.clip else "",
        )

    def resume(self) -> TrainingProgress:
        """Restore the state of the last checkpoint; a fresh state stays as it is.

        Raises InputError for a checkpoint of another network.
        """
        file = self.prepared.resume
        if file is None:
            return TrainingProgress()
        checkpoint, memory = read_training(file)
        reached = TrainingProgress.of(memory.facts)
        if reached.best >= 0 and not self.best.is_file():
            logger.warning("%s is missing: only the best of the next steps is kept", self.best)
            reached = replace(reached, best=-1.0, best_loss=math.inf)
        self.training_state.best_network.load_state_dict(dict(checkpoint.tensors))
        self.training_state.restore(memory.tensors)
        return reached

    def keep(self, reached: TrainingProgress, figures: Mapping[str, float], best: bool) -> None:
        """Write last.safetensors, and best.safetensors where it is the best so far.

        Raises RunError where a weight is not finite; both files stay as they are.
        """
        self.training_state.check(reached.step)
        network = self.training_state.best_network
        tensors = {name: value.detach().cpu() for name, value in network.state_dict().items()}
        start = self.prepared.start or Card(self.card.options)
        facts = {
            **asdict(reached),
            INITIAL_CALIBRATION: {"threshold": start.threshold, "temperature": start.temperature},
            "data": dict(self.data),
            "options": self.prepared.options.model_dump(mode="json"),
        }
        card = self._card(reached.step, figures)
        land = self.beside.land if self.beside else {}
        checkpoint = Checkpoint(card, tensors, self.clip, land)
        memory = ResumeState(self.training_state.state(), facts)
        # The last checkpoint is written last, because it refers to the best one.
        if best:
            write_checkpoint(self.best, checkpoint, memory)
            _copy(self.best, self.last)
        else:
            write_checkpoint(self.last, checkpoint, memory)

    def complete(self) -> None:
        """Copy the last checkpoint to the best if the best is lost and no step remains."""
        if not self.best.is_file():
            _copy(self.last, self.best)

    def _card(self, step: int, figures: Mapping[str, float]) -> Card:
        options = self.prepared.options
        return replace(
            self.card,
            metrics={name: round(value, 6) for name, value in figures.items()},
            provenance={
                "source": f"geochange {__version__} train",
                "data": self.prepared.root.resolve().name,
                "variant": options.network.variant,
                "start": str(options.network.start),
                "step": str(step),
                "written": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )


def _copy(source: Path, target: Path) -> None:
    """Copy a checkpoint, which is quicker than to write it again. Raises OutputError."""
    with atomic_path(target) as aside:
        shutil.copy(source, aside)


def _with_naming_rule(card: Card, prepared: PreparedTraining) -> Card:
    """The card with the naming rule of a CLIP that was trained before."""
    file = prepared.own_clip
    if file is None or prepared.options.network.start not in WITH_OWN_CLIP:
        return card
    vocabulary = prepared.vocabulary() or card.vocabulary
    scenes = prepared.root / prepared.options.scenes.folder
    meanings = class_meanings(classes_in(scenes), vocabulary)
    return replace(card, meanings=meanings, least_score=read_facts(file).get(LEAST_SCORE, 0.0))


def _interpolate_logits(one: float, other: float, share: float) -> float:
    """Interpolate between two probabilities, in logits."""
    return float(expit((1 - share) * logit(one) + share * logit(other)))


def calibrate(file: Path, result: ValidationResult, most_false: float = 1.0) -> None:
    """Fit temperature and threshold on validation, and write both into a checkpoint.

    result: of the checkpoint's network at temperature 1. The temperature is fitted first. The threshold
    is then the one with the best F1. Pixels of one chip are similar. So with fewer chips than
    ENOUGH_CHANGED_CHIPS, both are interpolated, in logits, towards those of the initial model.
    most_false: see LogitHistogram.best_threshold.
    """
    checkpoint, memory = read_training(file)
    histogram, figures = result.histogram, result.figures()
    prior, trust = (
        memory.facts[INITIAL_CALIBRATION],
        min(1.0, result.changed_chips / ENOUGH_CHANGED_CHIPS),
    )
    temperature = prior["temperature"] ** (1 - trust) * histogram.fit_temperature() ** trust
    best = histogram.best_threshold(temperature, most_false=most_false)
    threshold = _interpolate_logits(prior["threshold"], best, trust)
    counts = histogram.counts(threshold, temperature)
    metrics = {
        **figures,
        **{f"{name}_at_threshold": value for name, value in counts.figures().items()},
        "ece_before": histogram.ece(1.0),
        "ece_after": histogram.ece(temperature),
    }
    card = replace(
        checkpoint.card,
        temperature=temperature,
        threshold=threshold,
        metrics={name: round(value, 6) for name, value in metrics.items()},
    )
    facts = {**memory.facts, CALIBRATED: True}
    write_checkpoint(file, replace(checkpoint, card=card), replace(memory, facts=facts))
