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
from geochange.grid.probability import FULL, level, to_bytes
from geochange.grid.tiling import Window
from geochange.models.confidence import FEATURES, ConfidenceRule, confidence_of, features_of
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.predict import show
from geochange.models.weights.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from geochange.progress import Watch, unwatched
from geochange.training.metrics.calibration import Reliability
from geochange.training.metrics.logistic import fit_logistic
from geochange.training.planting import Library, planted, read_library, unchanged
from geochange.vector.changes import SPECK_PX
from geochange.vector.tracing.regions import trace

HIT = 0.25
"""A polygon is a change if at least this share of its known pixels changed."""

KNOWN = 0.5
"""Polygons of which a smaller share of the pixels is known are left out."""

FOLDS = 2
BINS = 10
FIRST_SEED = 8_000_000
"""Of the planted pairs: none of these seeds is used in training or in `benchmarks/selection.py`."""


@dataclass(frozen=True)
class Calibrating:
    """How the confidence is fitted. pairs: of each kind, half as many far ones. crowns: see `planted`."""

    pairs: int = 240
    crowns: float = 0.25


@dataclass(frozen=True)
class Judged:
    """Polygons with their FEATURES, (polygon, feature), and whether each is a change."""

    features: NDArray[np.float64]
    truth: NDArray[np.bool_]

    @classmethod
    def joined(cls, parts: Iterable[Judged]) -> Judged:
        """All polygons of some parts."""
        none = cls(np.empty((0, len(FEATURES))), np.empty(0, np.bool_))
        every = [none, *parts]
        return cls(
            np.concatenate([part.features for part in every]),
            np.concatenate([part.truth for part in every]),
        )


@dataclass(frozen=True)
class Calibrated:
    """The rule, and how often polygons were changes by the confidence of a rule of other places.

    near, far: polygons by confidence, in BINS of equal width.
    """

    rule: ConfidenceRule
    near: Reliability
    far: Reliability


def calibrate(
    source: Path, target: Path, data: Path, how: Calibrating | None = None, watch: Watch = unwatched
) -> Calibrated:
    """Write `source` as `target`, with the confidence of its polygons fitted to images in `data`.

    Raises InputError if `source` is no checkpoint, or no places of `data` are kept out of training.
    """
    checkpoint, library = read_checkpoint(source), read_library(data, kept_out=True)
    halves = [replace(library, places=library.places[fold::FOLDS]) for fold in range(FOLDS)]
    if not all(unchanged(half, 1) for half in halves):
        raise InputError(
            f"{data}: calibrating needs places seen twice from the air, of cities that are kept out; "
            "see docs/default-network.md"
        )
    how = how or Calibrating()
    near = [_judged(_near(half, i, how), checkpoint, True, watch) for i, half in enumerate(halves)]
    far = [_judged(_far(half, i, how), checkpoint, False, watch) for i, half in enumerate(halves)]
    rule = ConfidenceRule(*(_fitted(Judged.joined(parts)) for parts in (near, far)))
    write_checkpoint(target, replace(checkpoint, card=replace(checkpoint.card, confidence=rule)))
    return Calibrated(rule, _crossed(near), _crossed(far))


def _near(library: Library, fold: int, how: Calibrating) -> Iterator[Chip]:
    count = how.pairs // FOLDS
    yield from planted(library, False, count, FIRST_SEED + fold * count, how.crowns)
    yield from unchanged(library, count)


def _far(library: Library, fold: int, how: Calibrating) -> Iterator[Chip]:
    count = how.pairs // FOLDS // 2
    yield from planted(library, True, count, FIRST_SEED + fold * count)


def _judged(chips: Iterable[Chip], checkpoint: Checkpoint, near: bool, watch: Watch) -> Judged:
    """All polygons that a network finds in pairs. near: whether its land network has an opinion."""
    model = DetectorSpec("", opinion=near).of(checkpoint)
    parts = []
    for number, chip in enumerate(chips, start=1):
        parts.append(judge(model, chip))
        watch("judge", number, number, "near" if near else "far")
    return Judged.joined(parts)


def judge(model: ChangeClipDetector, chip: Chip) -> Judged:
    """The polygons that a network finds in one labelled pair, at its threshold."""
    assert chip.label is not None
    label, height, width = np.asarray(chip.label), *chip.shape
    probability = to_bytes(show(model, [chip], 1, str(model.device)).logits[0])
    lowest = level(model.threshold)
    window = Window(0, 0, height, width)
    rows = trace(probability, window, lowest, width).regions.rows
    rows = rows[rows["pixels"] >= SPECK_PX]
    numbers = ndimage.label((probability >= lowest) & (probability <= FULL))[0]
    own = numbers.ravel()[rows["first"]]
    known = np.bincount(numbers[label != UNKNOWN], minlength=numbers.max() + 1)[own]
    changed = np.bincount(numbers[label == 1], minlength=numbers.max() + 1)[own]
    pixels, corners = (rows[name].astype(np.float64) for name in ("pixels", "corners"))
    features = features_of(rows["total"] / pixels / FULL, rows["peak"] / FULL, pixels, corners)
    judged = known >= np.maximum(1, KNOWN * pixels)
    return Judged(features[judged], (changed >= HIT * known)[judged])


def _fitted(polygons: Judged) -> tuple[float, ...]:
    return tuple(round(weight, 6) for weight in fit_logistic(polygons.features, polygons.truth))


def _crossed(halves: Sequence[Judged]) -> Reliability:
    """The polygons of each half, by their confidence as the other half teaches it."""
    stated = [
        confidence_of(half.features, _fitted(other))
        for half, other in zip(halves, reversed(halves), strict=True)
    ]
    return reliability(np.concatenate(stated), np.concatenate([half.truth for half in halves]))


def reliability(stated: NDArray[np.float64], truth: NDArray[np.bool_]) -> Reliability:
    """Polygons by confidence in BINS, and the share of each bin that is a change."""
    number = np.minimum((stated * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(number, minlength=BINS)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(number, stated, BINS) / count
        observed = np.bincount(number, truth, BINS) / count
    return Reliability(count.astype(np.int64), mean, observed)
