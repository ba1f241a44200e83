"""Keeper: the checkpoints of a training, each with all that `run` and `--resume` need."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scipy.special import expit, logit

from geochange import __version__
from geochange.models.weights.card import OWN_CLIP, Card
from geochange.models.weights.checkpoint import (
    Checkpoint,
    Memory,
    read_checkpoint,
    read_clip,
    read_facts,
    read_memory,
    write_checkpoint,
)
from geochange.trainer.preparation import BEST, CALIBRATED, LAST, LEAST_SCORE, Prepared
from geochange.trainer.recipe import WITH_OWN_CLIP
from geochange.trainer.validation import Verdict
from geochange.training.scenes import classes_in, meanings_of
from geochange.training.training_state import Student

PRIOR = "prior"
"""The fact of a checkpoint that says threshold and temperature of what it began as."""

ENOUGH = 12
"""From so many validation chips with change on, what fits them best is taken as it is."""


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a training is.

    step: steps taken. best, best_loss: the best figure that a validation showed, and the loss of
    that validation. losses: of the steps since the last line of metrics.csv. seconds: so far, those
    before an interruption included.
    """

    step: int = 0
    best: float = -1.0
    best_loss: float = math.inf
    losses: tuple[float, ...] = ()
    seconds: float = 0.0

    def is_beaten(self, figure: float, loss: float) -> bool:
        """Whether a validation is better: of equal figures by its loss, of equal losses as later."""
        return (figure, -loss) >= (self.best, -self.best_loss)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Reached:
        """From the facts of a checkpoint."""
        known = {each.name: facts[each.name] for each in fields(cls) if each.name in facts}
        return cls(**{**known, "losses": tuple(facts.get("losses", ()))})


class Keeper:
    """Writes best.safetensors and last.safetensors, and goes on from the latter.

    data: what tells the chips of both splits from others.
    """

    def __init__(
        self, prepared: Prepared, student: Student, card: Card, data: Mapping[str, str]
    ) -> None:
        self.prepared, self.student, self.data = prepared, student, data
        self.best, self.last = prepared.out / BEST, prepared.out / LAST
        own = prepared.own_clip
        self.clip = read_clip(str(own)).tensors if own else {}
        self.card = replace(
            _named(card, prepared),
            prompts=prepared.options.prompts.mode or card.prompts,
            vocabulary=prepared.vocabulary() or card.vocabulary,
            clip=OWN_CLIP if self.clip else "",
        )

    def resume(self) -> Reached:
        """Bring the student to where the last checkpoint left it; a fresh one stays as it is.

        Raises InputError for a checkpoint of another network.
        """
        file = self.prepared.resume
        if file is None:
            return Reached()
        memory = read_memory(file)
        self.student.best_network.load_state_dict(dict(read_checkpoint(file).tensors))
        self.student.recall(memory.tensors)
        return Reached.of(memory.facts)

    def keep(self, reached: Reached, figures: Mapping[str, float], best: bool) -> None:
        """Write last.safetensors, and best.safetensors where it is the best so far.

        Raises RunError, and leaves both as they are, where a weight is no finite number.
        """
        self.student.check(reached.step)
        network = self.student.best_network
        tensors = {name: value.detach().cpu() for name, value in network.state_dict().items()}
        start = self.prepared.start or Card(self.card.options)
        facts = {
            **asdict(reached),
            PRIOR: {"threshold": start.threshold, "temperature": start.temperature},
            "data": dict(self.data),
            "options": self.prepared.options.model_dump(mode="json"),
        }
        checkpoint = Checkpoint(self._card(reached.step, figures), tensors, self.clip)
        memory = Memory(self.student.remember(), facts)
        for file in (self.last, *([self.best] if best else [])):
            write_checkpoint(file, checkpoint, memory)

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


def _named(card: Card, prepared: Prepared) -> Card:
    """The card with the rule by which a CLIP that was trained before says names."""
    file = prepared.own_clip
    if file is None or prepared.options.network.start not in WITH_OWN_CLIP:
        return card
    vocabulary = prepared.vocabulary() or card.vocabulary
    scenes = prepared.root / prepared.options.scenes.folder
    meanings = meanings_of(classes_in(scenes), vocabulary)
    return replace(card, meanings=meanings, least_score=read_facts(file).get(LEAST_SCORE, 0.0))


def _between(one: float, other: float, share: float) -> float:
    """A probability so far on the way from one to another, in logits."""
    return float(expit((1 - share) * logit(one) + share * logit(other)))


def calibrate(file: Path, verdict: Verdict, most_false: float = 1.0) -> None:
    """Fit temperature and threshold on validation, and write both into a checkpoint.

    verdict: on the checkpoint's network at a temperature of 1. The threshold is that of the best
    F1, after the temperature was fitted. Pixels of one chip are much alike: of fewer chips than
    ENOUGH both are drawn, on the scale of logits, towards what the network began with. most_false:
    see LogitHistogram.best_threshold.
    """
    checkpoint, memory = read_checkpoint(file), read_memory(file)
    histogram, figures = verdict.histogram, verdict.figures()
    prior, trust = memory.facts[PRIOR], min(1.0, verdict.changed_chips / ENOUGH)
    temperature = prior["temperature"] ** (1 - trust) * histogram.fit_temperature() ** trust
    best = histogram.best_threshold(temperature, most_false=most_false)
    threshold = _between(prior["threshold"], best, trust)
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
