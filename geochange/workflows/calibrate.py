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
from geochange.models.confidence import (
    FEATURES,
    USUAL_LEAST,
    ConfidenceRule,
    confidence_of,
    features_of,
)
from geochange.models.detector import DetectorSpec
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
"""Polygons of which a smaller share of the pixels is known do not count."""

BIASES = np.linspace(0, 3, 31)
"""How much louder an opinion of change may become, in logits."""

FOLDS = 5
"""The confidence of a fifth of the pairs is judged by a rule of the others."""

BINS = 10
FIRST_SEED = 8_000_000
"""Of the planted pairs: none of these seeds is used in training or in `benchmarks/selection.py`."""

Looks = list[tuple[NDArray[np.float32], NDArray[np.uint8]]]
"""The logits of change and the label of each pair."""


@dataclass(frozen=True)
class Calibrating:
    """How the confidence is fitted.

    unchanged: pairs of real visits. planted: pairs of each kind; on most ground little changes, so
    that there are fewer. most_false: the share of the pixels of unchanged pairs that polygons of the
    usual confidence may cover.
    """

    unchanged: int = 283
    planted: int = 94
    most_false: float = 0.01


@dataclass(frozen=True)
class Judged:
    """Polygons with their FEATURES, (polygon, feature), and whether each is a change.

    known: whether enough of its pixels have a label. false_px: how many did not change.
    """

    features: NDArray[np.float64]
    truth: NDArray[np.bool_]
    known: NDArray[np.bool_]
    false_px: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Iterable[Judged]) -> Judged:
        """All polygons of some parts."""
        every = list(parts)
        names = ("features", "truth", "known", "false_px")
        return cls(*(np.concatenate([getattr(part, name) for part in every]) for name in names))


@dataclass(frozen=True)
class Calibrated:
    """The rule, the bias of the opinion, and how often polygons were changes by their confidence.

    near, far: polygons in BINS of equal width, each by a rule of other pairs.
    """

    rule: ConfidenceRule
    bias: float
    near: Reliability
    far: Reliability


def calibrate(
    source: Path, target: Path, data: Path, how: Calibrating | None = None, watch: Watch = unwatched
) -> Calibrated:
    """Write `source` as `target`, with the confidence of its polygons fitted to images in `data`.

    The opinion of a land network is made as loud as `how.most_false` allows. Raises InputError if
    `source` is no checkpoint, or no places of `data` are kept out of training.
    """
    checkpoint, library = read_checkpoint(source), read_library(data, kept_out=True)
    how = how or Calibrating()
    quiet = unchanged(library, how.unchanged)
    if not quiet:
        raise InputError(
            f"{data}: calibrating needs places seen twice from the air, of cities that are kept out; "
            "see docs/default-network.md"
        )
    card, threshold = checkpoint.card, checkpoint.card.threshold
    near = [*_planted(library, False, how), *quiet]
    plain = [*near, *_planted(library, True, how)]
    silent = replace(checkpoint, card=replace(card, opinion_bias=0.0))
    looks = [_look(chips, silent, chips is near, watch) for chips in (near, plain)]
    biases = BIASES if card.opinion_m else BIASES[:1]
    bias = _loudest(looks[0], len(quiet), threshold, biases, how.most_false)
    folds = [_folds(looks[0], threshold, bias), _folds(looks[1], threshold, 0.0)]
    rule = ConfidenceRule(*(_fitted(Judged.joined(parts)) for parts in folds))
    told = replace(card, confidence=rule, opinion_bias=bias)
    write_checkpoint(target, replace(checkpoint, card=told))
    return Calibrated(rule, bias, *(_crossed(parts) for parts in folds))


def _planted(library: Library, far: bool, how: Calibrating) -> Iterator[Chip]:
    return planted(library, far, how.planted, FIRST_SEED)


def _look(chips: Sequence[Chip], checkpoint: Checkpoint, near: bool, watch: Watch) -> Looks:
    """What a network finds in pairs. near: whether the opinion of its land network counts."""
    model, looks = DetectorSpec("", opinion=near).of(checkpoint), []
    for number, chip in enumerate(chips, start=1):
        label = np.asarray(chip.label)
        looks.append((show(model, [chip], 1, str(model.device)).logits[0], label))
        watch("look", number, len(chips), "near" if near else "all, by the network alone")
    return looks


def _loudest(
    looks: Looks, quiet: int, threshold: float, biases: NDArray[np.float64], most_false: float
) -> float:
    """The largest bias up to which polygons cover no more of unchanged pairs, the last `quiet` ones."""
    pixels = sum(label.size for _, label in looks[-quiet:])
    loudest = 0.0
    for bias in biases.tolist():
        rule = _fitted(Judged.joined(_folds(looks, threshold, bias)))
        unchanged = Judged.joined(
            polygons_of(logits + np.float32(bias), label, threshold)
            for logits, label in looks[-quiet:]
        )
        sure = confidence_of(unchanged.features, rule) >= USUAL_LEAST
        if unchanged.false_px[sure].sum() > most_false * pixels:
            break
        loudest = bias
    return round(loudest, 6)


def _folds(looks: Looks, threshold: float, bias: float) -> list[Judged]:
    """The polygons of every FOLDS-th pair, from the first, the second ... on."""
    found = [polygons_of(z + np.float32(bias), label, threshold) for z, label in looks]
    return [Judged.joined(found[fold::FOLDS]) for fold in range(min(FOLDS, len(found)))]


def polygons_of(logits: NDArray[np.float32], label: NDArray[np.uint8], threshold: float) -> Judged:
    """The polygons of one pair, from logits of change (height, width), against its label."""
    probability, lowest = to_bytes(logits), level(threshold)
    height, width = logits.shape
    rows = trace(probability, Window(0, 0, height, width), lowest, width).regions.rows
    rows = rows[rows["pixels"] >= SPECK_PX]
    numbers = ndimage.label((probability >= lowest) & (probability <= FULL))[0]
    own, most = numbers.ravel()[rows["first"]], numbers.max() + 1
    known = np.bincount(numbers[label != UNKNOWN], minlength=most)[own]
    changed = np.bincount(numbers[label == 1], minlength=most)[own]
    pixels, corners = (rows[name].astype(np.float64) for name in ("pixels", "corners"))
    features = features_of(rows["total"] / pixels / FULL, rows["peak"] / FULL, pixels, corners)
    enough = known >= np.maximum(1, KNOWN * pixels)
    return Judged(features, changed >= HIT * known, enough, known - changed)


def _fitted(polygons: Judged) -> tuple[float, ...]:
    known = polygons.known
    if not known.any():
        return (0.0,) * len(FEATURES)
    weights = fit_logistic(polygons.features[known], polygons.truth[known])
    return tuple(np.round(weights, 6).tolist())


def _crossed(folds: Sequence[Judged]) -> Reliability:
    """The polygons of each fold, by their confidence as the other folds teach it."""
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
