"""The workflow of `weights calibrate`: fits the confidence of polygons to pairs whose truth is known.

The pairs are planted into images of places that are kept out of training, and real visits of such
places between which hardly anything changed. No pair has a label that somebody drew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geochange.chip import UNKNOWN, Chip
from geochange.errors import InputError
from geochange.grid.probability_bytes import MAX_BYTE, threshold_byte, to_bytes
from geochange.grid.tiling import Window
from geochange.models.confidence import (
    FEATURES,
    USUAL_LEAST,
    ConfidenceRule,
    confidence_of,
)
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.predict import run_model
from geochange.models.learning.logits_by_class import logits_by_class
from geochange.models.weights.checkpoint import read_checkpoint, write_checkpoint
from geochange.progress import Watch, no_watch
from geochange.running.confidence import region_features
from geochange.training.metrics.calibration import Reliability
from geochange.training.metrics.logistic import fit_logistic
from geochange.training.planting import Library, planted_chips, read_library, unchanged_chips
from geochange.vector.changes import MIN_AREA_PX
from geochange.vector.tracing.regions import trace_regions

HIT = 0.25
"""A polygon is a change if at least this share of its known pixels changed."""

KNOWN = 0.5
"""Polygons of which a smaller share of the pixels is known do not count."""

MOST_FALSE = 0.01
"""What the least confidence of near polygons leaves, at most, of the pixels of unchanged pairs."""

LEAST_STEPS = 100
"""The least confidence is chosen in steps of a hundredth, from one half on,"""

GREATEST_LEAST = 0.7
"""up to here: beyond, too much of true change would be left out."""

FOLDS = 5
"""The confidence of a fifth of the pairs is judged by a rule of the others."""

BINS = 10
FIRST_SEED = 8_000_000
"""Of the planted pairs: none of these seeds is used in training or in `benchmarks/selection.py`."""


@dataclass(frozen=True)
class Calibrating:
    """How the confidence is fitted.

    unchanged: pairs of real visits. planted: pairs of each kind; on most ground nothing changes, so
    that there are half as many.
    """

    unchanged: int = 283
    planted: int = 141


@dataclass(frozen=True)
class Judged:
    """Polygons with their FEATURES, (polygon, feature), and whether each is a change.

    known: whether enough of its pixels have a label. pixels: their number.
    """

    features: NDArray[np.float64]
    truth: NDArray[np.bool_]
    known: NDArray[np.bool_]
    pixels: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Iterable[Judged]) -> Judged:
        """All polygons of some parts."""
        every = list(parts)
        names = ("features", "truth", "known", "pixels")
        return cls(*(np.concatenate([getattr(part, name) for part in every]) for name in names))


@dataclass(frozen=True)
class Calibrated:
    """The rule, and how often polygons were changes by their confidence.

    near, far, only: polygons in BINS of equal width, each by a rule of other pairs. only: of near pairs,
    for each land class alone; None for a network without a land network that has an opinion.
    """

    rule: ConfidenceRule
    near: Reliability
    far: Reliability
    only: Reliability | None = None


def calibrate(
    source: Path, target: Path, data: Path, how: Calibrating | None = None, watch: Watch = no_watch
) -> Calibrated:
    """Write `source` as `target`, with the confidence of its polygons fitted to images in `data`.

    Raises InputError if `source` is no checkpoint, or no places of `data` are kept out of training.
    """
    checkpoint, library = read_checkpoint(source), read_library(data, kept_out=True)
    how = how or Calibrating()
    quiet = unchanged_chips(library, how.unchanged)
    if not quiet:
        raise InputError(
            f"{data}: calibrating needs places seen twice from the air, of cities that are kept out; "
            "see docs/default-network.md"
        )
    model = DetectorSpec("", precision="float32").of(checkpoint)  # as onnxruntime runs it
    pairs = [*quiet, *_planted(library, False, how)]
    near, only = _judged(pairs, model, watch)
    far, _ = _judged([*_planted(library, True, how)], model, watch, by_class=False)
    weights = _fitted(Judged.joined(near))
    least = _least(near[: len(quiet)], weights, sum(chip.valid.size for chip in quiet))
    classes = _fitted(Judged.joined(only)) if only else ()
    rule = ConfidenceRule(weights, _fitted(Judged.joined(far)), classes, least)
    write_checkpoint(target, replace(checkpoint, card=replace(checkpoint.card, confidence=rule)))
    return Calibrated(rule, _crossed(near), _crossed(far), _crossed(only) if only else None)


def _planted(library: Library, far: bool, how: Calibrating) -> Iterator[Chip]:
    return planted_chips(library, far, how.planted, FIRST_SEED)


def _judged(
    chips: Sequence[Chip], model: ChangeClipDetector, watch: Watch, by_class: bool = True
) -> tuple[list[Judged], list[Judged]]:
    """The polygons that a network finds in each pair, and those of each land class alone.

    The latter are empty for a network without a second opinion, or not `by_class`.
    """
    found, classes = [], []
    land = model.land_inference
    by_class = by_class and land is not None and land.network.opinion is not None
    for number, chip in enumerate(chips, start=1):
        logits = run_model(model, [chip], 1, str(model.device)).logits
        label = np.asarray(chip.label)
        found.append(polygons_of(logits[0], label, model.threshold))
        if by_class:
            each = logits_by_class(model, chip, logits)
            parts = [polygons_of(masked, label, model.threshold) for masked in each]
            classes.append(Judged.joined(parts))
        watch("look", number, len(chips), "")
    return found, classes


def _least(found: Sequence[Judged], weights: Sequence[float], pixels: int) -> float:
    """The least confidence that leaves at most MOST_FALSE of the pixels of unchanged pairs, in steps."""
    quiet = Judged.joined(found)
    stated = confidence_of(quiet.features, weights)
    for step in range(round(USUAL_LEAST * LEAST_STEPS), round(GREATEST_LEAST * LEAST_STEPS) + 1):
        if quiet.pixels[stated >= step / LEAST_STEPS].sum() <= MOST_FALSE * pixels:
            return step / LEAST_STEPS
    return GREATEST_LEAST


def polygons_of(logits: NDArray[np.float32], label: NDArray[np.uint8], threshold: float) -> Judged:
    """The polygons of one pair, from logits of change (height, width), against its label."""
    probability, lowest = to_bytes(logits), threshold_byte(threshold)
    height, width = logits.shape
    rows = trace_regions(probability, Window(0, 0, height, width), lowest, width).regions.rows
    rows = rows[rows["pixels"] >= MIN_AREA_PX]
    numbers = ndimage.label((probability >= lowest) & (probability <= MAX_BYTE))[0]
    own, most = numbers.ravel()[rows["first"]], numbers.max() + 1
    known = np.bincount(numbers[label != UNKNOWN], minlength=most)[own]
    changed = np.bincount(numbers[label == 1], minlength=most)[own]
    enough = known >= np.maximum(1, KNOWN * rows["pixels"])
    return Judged(region_features(rows), changed >= HIT * known, enough, rows["pixels"])


def _fitted(polygons: Judged) -> tuple[float, ...]:
    known = polygons.known
    if not known.any():
        return (0.0,) * len(FEATURES)
    weights = fit_logistic(polygons.features[known], polygons.truth[known])
    return tuple(np.round(weights, 6).tolist())


def _crossed(found: Sequence[Judged]) -> Reliability:
    """The polygons of every FOLDS-th pair, by their confidence as the other pairs teach it."""
    folds = [Judged.joined(found[fold::FOLDS]) for fold in range(min(FOLDS, len(found)))]
    stated, truth = [], []
    for number, fold in enumerate(folds):
        others = Judged.joined([*folds[:number], *folds[number + 1 :]])
        stated.append(confidence_of(fold.features[fold.known], _fitted(others)))
        truth.append(fold.truth[fold.known])
    return reliability(np.concatenate(stated), np.concatenate(truth))


def reliability(stated: NDArray[np.float64], truth: NDArray[np.bool_]) -> Reliability:
    """Polygons by confidence in BINS, and the share of each bin that is a change."""
    number = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(number, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(number, stated, BINS) / count
        observed = np.bincount(number, truth, BINS) / count
    return Reliability(count.astype(np.int64), mean, observed)
