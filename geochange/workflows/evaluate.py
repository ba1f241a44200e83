"""The workflow of `evaluate`: scores a model on labelled chips, with confidence intervals."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from geochange import __version__
from geochange.chip import UNKNOWN, Chip
from geochange.config import EvaluateOptions
from geochange.errors import OutputError
from geochange.files.atomic import write_text
from geochange.files.file_names import expand_user
from geochange.models import ModelSpec
from geochange.models.bands.rgb_bands import shown_chip
from geochange.progress import Progress, no_progress
from geochange.trainer.evaluated_model import (
    EvaluatedModel,
    open_evaluated_model,
    open_evaluated_split,
    shown_bands,
)
from geochange.training.contact_sheet import SheetRow, write_sheet
from geochange.training.metrics.bootstrap import interval, semantic_interval
from geochange.training.metrics.boundary import BoundaryCounts, boundary_counts
from geochange.training.metrics.calibration import LogitHistogram
from geochange.training.metrics.counts import Counts
from geochange.training.metrics.reliability_plots import write_reliability
from geochange.training.metrics.semantic import SemanticCounts

LEVEL = 0.95
"""The confidence level of the intervals."""


@dataclass(frozen=True, slots=True)
class ChipScore:
    """The counts of one chip. before, after: the paths as a list of chips writes them.

    semantic: of the classes of both dates, where labels and model tell them.
    """

    name: str
    before: str
    after: str
    counts: Counts
    boundary: BoundaryCounts
    semantic: SemanticCounts | None = None

    @property
    def wrong_px(self) -> int:
        """False positives and false negatives."""
        return self.counts.fp + self.counts.fn

    def row(self) -> dict[str, str | int | float | None]:
        """The chip as a row of a table; an undefined ratio is None."""
        plain = {"name": self.name, "before": self.before, "after": self.after}
        edge = {f"boundary_{name}": x for name, x in self.boundary.defined().items()}
        classes = {} if self.semantic is None else self.semantic.figures()
        return {**plain, **asdict(self.counts), **self.counts.defined(), **edge, **classes}


@dataclass(frozen=True, slots=True)
class Figure:
    """A measure from 0 to 1, with its interval if it has one."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Evaluation:
    """The scores of a model on a split.

    threshold: the probability from which a pixel counts as changed. tta: whether logits are averaged
    over rotated and mirrored chips. names: the source of class names: files beside the data, CLIP, or
    none. chips: in the order of the split. histogram: of the logits. worst: rows of a contact sheet,
    sorted by wrong pixels, without chips that have none. classes: those that are compared, if any.
    """

    spec: ModelSpec
    root: Path
    options: EvaluateOptions
    threshold: float
    names: str
    chips: tuple[ChipScore, ...]
    histogram: LogitHistogram = field(repr=False)
    worst: tuple[SheetRow, ...] = field(default=(), repr=False)
    classes: tuple[str, ...] = ()

    @cached_property
    def counts(self) -> Counts:
        """The sum over all chips."""
        return sum((chip.counts for chip in self.chips), Counts())

    @cached_property
    def boundary(self) -> BoundaryCounts:
        """The sum over all chips."""
        return sum((chip.boundary for chip in self.chips), BoundaryCounts())

    @cached_property
    def semantic(self) -> SemanticCounts | None:
        """The sum over all chips; None where classes are not compared."""
        counts = [chip.semantic for chip in self.chips if chip.semantic is not None]
        return sum(counts, SemanticCounts.none(len(self.classes))) if counts else None

    @cached_property
    def figures(self) -> Mapping[str, Figure]:
        """Measures over all chips, by name. Bootstrap over chips gives the intervals; `ece` has none."""
        pixel = interval([chip.counts for chip in self.chips], LEVEL)
        edge = interval([chip.boundary for chip in self.chips], LEVEL)
        return {
            **{name: Figure(x, *pixel[name]) for name, x in self.counts.figures().items()},
            **{f"boundary_{n}": Figure(x, *edge[n]) for n, x in self.boundary.figures().items()},
            "ece": Figure(self.histogram.ece()),
            **self._semantic_figures(),
        }

    def _semantic_figures(self) -> dict[str, Figure]:
        if self.semantic is None:
            return {}
        counts = [chip.semantic for chip in self.chips if chip.semantic is not None]
        between = semantic_interval(counts, LEVEL)
        return {name: Figure(x, *between[name]) for name, x in self.semantic.figures().items()}

    def _classes_json(self) -> dict[str, Any]:
        """The figures of each class, and the confusion matrix, "no change" first."""
        if self.semantic is None:
            return {}
        by_class = self.semantic.by_class(self.classes)
        return {"classes": by_class, "confusion": self.semantic.matrix.tolist()}

    def to_json(self) -> dict[str, Any]:
        """Values for JSON, without the chips. `options` are as given; other fields are as used."""
        return {
            "geochange": __version__,
            "model": self.spec.name,
            "model_sha256": self.spec.sha256,
            "data": str(self.root),
            "options": self.options.model_dump(mode="json"),
            "device": self.spec.device,
            "precision": self.spec.prompting.precision,
            "threshold": self.threshold,
            "class_names": self.names,
            "chips": len(self.chips),
            "level": LEVEL,
            "figures": {name: asdict(figure) for name, figure in self.figures.items()},
            "counts": asdict(self.counts),
            **self._classes_json(),
            "boundary": {"tolerance_px": self.options.tolerance, **asdict(self.boundary)},
            "reliability": self.histogram.reliability().to_json(),
        }

    def write_json(self, path: Path) -> None:
        """Write `to_json`. Like the writers below, it is atomic. Raises OutputError."""
        write_text(path, json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n")

    def write_csv(self, path: Path) -> None:
        """Write one row per chip. Raises OutputError."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(self.chips[0].row()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(chip.row() for chip in self.chips)
        write_text(path, text.getvalue())

    def write_plots(self, folder: Path) -> None:
        """Write reliability.png, and worst.png if there are worst chips. Raises OutputError."""
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder} cannot be made: {error.strerror or error}") from error
        write_reliability(folder / "reliability.png", self.histogram.reliability())
        if self.worst:
            write_sheet(folder / "worst.png", self.worst, self.threshold)


def evaluate(
    model: str,
    root: str | Path,
    progress: Progress = no_progress,
    *,
    worst: int = 0,
    **options: Any,
) -> Evaluation:
    """Score a model on a split of labelled chips.

    model: any model that `run` takes. root: the folder of the data set. worst: the number of worst
    chips on a contact sheet. options: the fields of EvaluateOptions.

    The threshold is that of the model unless it is given. A model without weights takes its statistics
    from chips spread over the split, as in `run`. Pixels without data at either date are not counted.
    Raises InputError, OptionError.
    """
    chosen = EvaluateOptions.parse(options)
    place = expand_user(root)
    source = open_evaluated_split(model, place, chosen)
    examined = open_evaluated_model(model, place, source, chosen)
    own = examined.model.threshold
    threshold = own if chosen.threshold is None else chosen.threshold
    scores, histogram = _scores(examined, threshold, progress)
    wrong = [number for number, score in enumerate(scores) if score.wrong_px]
    order = sorted(wrong, key=lambda number: -scores[number].wrong_px)
    rows = _rows(examined, scores, order[:worst])
    return Evaluation(
        spec=examined.spec,
        root=place,
        options=chosen,
        threshold=threshold,
        names=examined.naming,
        chips=tuple(scores),
        histogram=histogram,
        worst=rows,
        classes=examined.classes,
    )


def _scores(
    examined: EvaluatedModel, threshold: float, progress: Progress
) -> tuple[list[ChipScore], LogitHistogram]:
    """The score of every chip, and the histogram of all logits."""
    count = len(examined.source)
    scores: list[ChipScore] = []
    histogram = LogitHistogram()
    progress("evaluate", 0, count)
    for number, chip, logits, land in examined.answers_with_land(range(count)):
        score, part = _score(examined, number, chip, logits, threshold)
        if examined.classes:
            score = replace(score, semantic=_semantic(examined, chip, logits, land, threshold))
        scores.append(score)
        histogram += part
        # Progress is reported per batch, because the chips of a batch arrive at once.
        if len(scores) % examined.options.batch == 0 or len(scores) == count:
            progress("evaluate", len(scores), count)
    return scores, histogram


def _label(chip: Chip) -> NDArray[np.uint8]:
    """The label; unknown where a date has no data."""
    return np.where(chip.valid, np.asarray(chip.label), np.uint8(UNKNOWN))


def _score(
    examined: EvaluatedModel, number: int, chip: Chip, logits: NDArray[np.float32], threshold: float
) -> tuple[ChipScore, LogitHistogram]:
    label = _label(chip)
    changed = logits >= np.float64(logit(threshold))
    score = ChipScore(
        examined.source.name(number),
        *examined.source.pictures(number),
        Counts.of(changed, label),
        boundary_counts(changed, label, examined.options.tolerance),
    )
    return score, LogitHistogram.of(logits, label)


def _semantic(
    examined: EvaluatedModel,
    chip: Chip,
    logits: NDArray[np.float32],
    land: NDArray[np.uint8],
    threshold: float,
) -> SemanticCounts:
    changed = logits >= np.float64(logit(threshold))
    assert chip.land is not None
    return SemanticCounts.of(changed, land, _label(chip), chip.land, len(examined.classes))


def _rows(
    examined: EvaluatedModel, scores: Sequence[ChipScore], numbers: Sequence[int]
) -> tuple[SheetRow, ...]:
    """Chips as rows of a contact sheet. The model predicts them again."""
    rows: list[SheetRow] = []
    if not numbers:
        return ()
    bands = shown_bands(examined.spec.name, examined.source)
    for number, chip, logits in examined.answers(numbers):
        score = scores[number]
        iou = score.counts.figures()["iou"]
        note = f"{score.wrong_px:,} px wrong, IoU {iou:.3f}"
        known = shown_chip(replace(chip, label=_label(chip)), bands)
        rows.append(SheetRow(known, expit(logits), score.name, note))
    return tuple(rows)
