"""Keeper: the checkpoints of a training, each with all that `run` and `--resume` need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from geochange import __version__
from geochange.models.card import Card
from geochange.models.checkpoint import (
    Checkpoint,
    Memory,
    read_checkpoint,
    read_memory,
    write_checkpoint,
)
from geochange.preparation import BEST, LAST, Prepared, check_same
from geochange.training.student import Student
from geochange.validation import Verdict


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a training is: steps taken, and the best figure that a validation showed."""

    step: int = 0
    best: float = -1.0


class Keeper:
    """Writes best.safetensors and last.safetensors, and goes on from the latter."""

    def __init__(self, prepared: Prepared, student: Student, card: Card) -> None:
        self.prepared, self.student = prepared, student
        self.best, self.last = prepared.out / BEST, prepared.out / LAST
        self.card = replace(
            card,
            prompts=prepared.options.prompts.mode,
            vocabulary=prepared.vocabulary() or card.vocabulary,
        )

    def resume(self) -> Reached:
        """Bring the student to where the last checkpoint left it; a fresh one stays as it is.

        Raises InputError, OptionError for a checkpoint of another training.
        """
        file = self.prepared.resume
        if file is None:
            return Reached()
        memory = read_memory(file)
        check_same(self.prepared.options, memory.facts, file)
        self.student.best_network.load_state_dict(dict(read_checkpoint(file).tensors))
        self.student.recall(memory.tensors)
        return Reached(int(memory.facts["step"]), float(memory.facts["best"]))

    def keep(self, reached: Reached, figures: Mapping[str, float], best: bool) -> None:
        """Write last.safetensors, and best.safetensors where it is the best so far."""
        network = self.student.best_network
        tensors = {name: value.detach().cpu() for name, value in network.state_dict().items()}
        facts = {
            "step": reached.step,
            "best": reached.best,
            "options": self.prepared.options.model_dump(mode="json"),
        }
        checkpoint = Checkpoint(self._card(reached.step, figures), tensors)
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
                "data": str(options.data.name or self.prepared.root.name),
                "variant": options.network.variant,
                "start": str(options.network.start),
                "step": str(step),
                "written": datetime.now(UTC).isoformat(timespec="seconds"),
            },
        )


def calibrate(file: Path, verdict: Verdict) -> None:
    """Fit temperature and threshold on validation, and write both into a checkpoint.

    verdict: on the checkpoint's network at a temperature of 1. The threshold is that of the best
    F1, after the temperature was fitted.
    """
    checkpoint, memory = read_checkpoint(file), read_memory(file)
    histogram, figures = verdict.histogram, verdict.figures()
    temperature = histogram.fit_temperature()
    threshold = histogram.best_threshold(temperature)
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
    write_checkpoint(file, replace(checkpoint, card=card), memory)
