"""Validation: the figures of a network in training on chips that it does not learn from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from geochange.chip import UNKNOWN, Chip
from geochange.land_cover import ClassTable
from geochange.models.bands.input_bands import InputBands
from geochange.models.bands.rgb_bands import shown_chip
from geochange.models.changeclip.land_cover_network import LandNetwork
from geochange.models.changeclip.network import ChangeClip
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.predict import run_model
from geochange.models.prompts import Names
from geochange.models.weights.model_card import Card
from geochange.progress import Progress, no_progress
from geochange.trainer.semantic.figures import ClassFigures
from geochange.training.contact_sheet import SheetRow
from geochange.training.data.chip_source import ChipSource
from geochange.training.fabric_devices import Fabric, sum_over_processes
from geochange.training.metrics.calibration import LogitHistogram
from geochange.training.metrics.counts import Counts
from geochange.training.metrics.semantic import SemanticCounts

REFERENCE_PX = 256

BothNames = tuple[Names, Names]


@dataclass(frozen=True)
class ValidationResult:
    """The result of a validation; results on parts of the chips add up.

    counts: at a probability of 0.5, as published. loss: cross-entropy summed over known pixels.
    histogram: of the logits, for calibration. rows: of the contact sheet. changed_chips: how many
    hold a changed pixel. semantic: of the classes of both dates; None without them.
    """

    counts: Counts = field(default_factory=Counts)
    loss: float = 0.0
    histogram: LogitHistogram = field(default_factory=LogitHistogram)
    rows: tuple[SheetRow, ...] = ()
    changed_chips: int = 0
    semantic: ClassFigures | None = None

    def __add__(self, other: ValidationResult) -> ValidationResult:
        return ValidationResult(
            self.counts + other.counts,
            self.loss + other.loss,
            self.histogram + other.histogram,
            self.rows + other.rows,
            self.changed_chips + other.changed_chips,
            other.semantic if self.semantic is None else self.semantic + other.semantic,
        )

    def over(self, fabric: Fabric) -> ValidationResult:
        """The sum over all processes; each keeps its own rows."""
        c = self.counts
        *whole, changed = sum_over_processes(
            fabric, np.array([c.tp, c.fp, c.fn, c.tn, self.changed_chips])
        ).tolist()
        loss = float(sum_over_processes(fabric, np.array([self.loss]))[0])
        pixels = sum_over_processes(fabric, self.histogram.pixels)
        semantic = None if self.semantic is None else self.semantic.over(fabric)
        counts = Counts(*whole)
        return ValidationResult(counts, loss, LogitHistogram(pixels), self.rows, changed, semantic)

    @property
    def known(self) -> int:
        """Known pixels."""
        c = self.counts
        return c.tp + c.fp + c.fn + c.tn

    def figures(self) -> dict[str, float]:
        """Loss and figures, by their names in the journal."""
        own = {"val_loss": self.loss / max(1, self.known), **self.counts.figures()}
        return own if self.semantic is None else own | self.semantic.figures()


@dataclass(frozen=True)
class Validator:
    """The validation chips.

    numbers: those of this process. shown: those on the contact sheet. land: the land network beside
    the network, which has its say in what `run` answers. bands: of the chips; None for RGB. classes:
    of the chips, where the network has semantic heads.
    """

    source: ChipSource
    names: Sequence[BothNames]
    numbers: Sequence[int]
    shown: frozenset[int]
    batch: int
    land: LandNetwork | None = None
    bands: InputBands | None = None
    classes: ClassTable | None = None

    @property
    def extra_figures(self) -> tuple[str, ...]:
        """The names of the figures of classes; none without classes."""
        return (
            () if self.classes is None else tuple(ClassFigures.none(self.classes.names).figures())
        )

    def examine(
        self, network: ChangeClip, card: Card, device: str, progress: Progress = no_progress
    ) -> ValidationResult:
        """Predict the chips as `run` would; the network stays in its mode."""
        learning = network.training
        network.eval()
        try:
            return self._examine(detector_of(network, card, device, self.land), device, progress)
        finally:
            network.train(learning)

    def _examine(self, model: Any, device: str, progress: Progress) -> ValidationResult:
        nothing = None if self.classes is None else ClassFigures.none(self.classes.names)
        verdict, done = ValidationResult(semantic=nothing), 0
        for part in self._batches():
            verdict += self._show(model, device, part)
            done += len(part)
            progress("validate", done, len(self.numbers))
        return verdict

    def _batches(self) -> Iterator[list[tuple[int, Chip]]]:
        """Consecutive chips of one shape, with their numbers.

        Batches of larger chips are smaller: their size is meant for chips of the usual size.
        """
        chips = ((number, self.source[number]) for number in self.numbers)
        for (height, width), alike in groupby(chips, key=lambda item: item[1].shape):
            size = max(1, self.batch * REFERENCE_PX**2 // max(REFERENCE_PX**2, height * width))
            while part := list(islice(alike, size)):
                yield part

    def _show(self, model: Any, device: str, part: Sequence[tuple[int, Chip]]) -> ValidationResult:
        names = [self.names[number] for number, _ in part]
        chips = [chip for _, chip in part]
        answers = run_model(model, chips, self.batch, device, names, land=self.classes is not None)
        verdict = ValidationResult()
        for row, ((number, chip), logits) in enumerate(zip(part, answers.logits, strict=True)):
            label = np.asarray(chip.label)
            shown: tuple[SheetRow, ...] = ()
            if number in self.shown:
                probability = expit(np.nan_to_num(logits, nan=-np.inf))
                seen = shown_chip(chip, self.bands)
                shown = (SheetRow(seen, probability, self.source.name(number), ""),)
            verdict += ValidationResult(
                Counts.of(logits > 0, label),
                _cross_entropy(logits, label),
                LogitHistogram.of(logits, label),
                shown,
                int((label == 1).any()),
                self._class_figures(chip, logits, answers.land[row]) if self.classes else None,
            )
        return verdict

    def _class_figures(
        self, chip: Chip, logits: NDArray[np.float32], land: NDArray[np.uint8]
    ) -> ClassFigures:
        """Of one chip with classes, at a probability of 0.5."""
        assert self.classes is not None
        assert chip.land is not None
        assert chip.label is not None
        names = self.classes.names
        counts = SemanticCounts.of(logits > 0, land, chip.label, chip.land, len(names))
        return ClassFigures(names, counts)


def detector_of(
    network: ChangeClip, card: Card, device: str, land: LandNetwork | None = None
) -> ChangeClipDetector:
    """A network in training as the model that `run` would make of it."""
    spec = DetectorSpec("", device, precision="float32")
    return ChangeClipDetector(spec, network, card, land=land)


def spread_numbers(count: int, most: int) -> frozenset[int]:
    """At most `most` numbers below `count`, evenly spread."""
    return frozenset(np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist())


def _cross_entropy(logits: NDArray[np.float32], label: NDArray[np.uint8]) -> float:
    """Summed over known pixels."""
    known = label != UNKNOWN
    z = logits[known].astype(np.float64)
    return float((np.logaddexp(0.0, z) - z * (label[known] == 1)).sum())
