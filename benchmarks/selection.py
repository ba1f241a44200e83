"""Selects states, thresholds and recipes on places that are kept out of training.

python benchmarks/selection.py FOLDER [MODEL ...]: FOLDER holds the pictures of
docs/default-network.md; only those that are kept out are used. It uses the lowest threshold of each
model that calls at most --false of unchanged revisits changed, or with --run the model's own, and then
leaves out polygons as `geochange run` does. It prints:

near, far: pixel F1 of changes planted into aerial and into satellite images, and F1 of their
outlines. building: pixel F1 of
labelled buildings planted among other changes, with only building. land: IoU of buildings on
labelled images, for a network with a land head. No image and no label is one of those that
`accuracy.py` measures with.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit

from geochange.chip import Chip
from geochange.grid.probability_bytes import MAX_BYTE, threshold_byte
from geochange.grid.tiling import Window
from geochange.models.detector import ChangeClipDetector, DetectorSpec
from geochange.models.inference.predict import run_model
from geochange.models.weights.checkpoint import read_checkpoint
from geochange.models.weights.locate import locate_weights
from geochange.running.confidence import UNSTATED, Confidence, confidence_for
from geochange.trainer.land_cover_validation import validate_land
from geochange.training.data.land_cover_pictures import read_land
from geochange.training.metrics.boundary import BoundaryCounts, boundary_counts
from geochange.training.metrics.counts import UNKNOWN
from geochange.training.planting import Library, planted_chips, read_library, unchanged_chips
from geochange.training.planting.labelled_buildings import buildings_of
from geochange.vector.changes import MIN_AREA_PX
from geochange.vector.tracing.regions import trace_regions

FIRST_SEED = 7_000_000
"""Of the planted pairs: none of these seeds is used in training."""

STEPS = np.linspace(0.02, 0.98, 97)
NEAR_M, FAR_M = 0.6, 10.0
"""The size of the pixels of planted pairs, about, in metres."""

NEAR_PX = 3
"""How far an outline may be off, in pixels."""

SHOWN_PX = 96
"""The largest size in pixels of a planted building."""


def with_buildings(library: Library, count: int) -> Iterator[Chip]:
    """Planted pairs with labelled buildings at one of the dates. Only these buildings are the label."""
    for number, chip in enumerate(planted_chips(library, False, count, FIRST_SEED)):
        draw = np.random.default_rng(number)
        town = library.towns[draw.integers(len(library.towns))]
        houses = buildings_of(town, len(chip.before), draw)
        if houses is None:
            continue
        date = int(draw.integers(2))
        views = [chip.before.copy(), chip.after.copy()]
        views[date][houses.mask] = houses.colours[houses.mask].astype(np.uint8)
        shade = houses.shadow(draw.uniform(-1, 1, 2) * draw.uniform(2, 9))
        views[date][shade] = (views[date][shade] * 0.55).astype(np.uint8)
        label = np.where(np.asarray(chip.label) == 0, 0, UNKNOWN).astype(np.uint8)
        label[houses.mask] = 1
        yield _chip(*views, label)


def _chip(before: Any, after: Any, label: NDArray[np.uint8]) -> Chip:
    return Chip(before, after, np.ones(label.shape, bool), label)


def answers(model: ChangeClipDetector, chips: Sequence[Chip]) -> list[NDArray[np.float32]]:
    """Probabilities of change."""
    return [expit(run_model(model, [chip], 1, "cpu").logits[0]) for chip in chips]


def least_threshold(probabilities: Sequence[NDArray[np.float32]], most_false: float) -> float:
    """The lowest threshold at which at most this share of the pixels is called changed."""
    every = np.concatenate([p.ravel() for p in probabilities])
    quiet = [t for t in STEPS if (every >= t).mean() <= most_false]
    return float(quiet[0]) if quiet else float(STEPS[-1])


def f1(
    probabilities: Sequence[NDArray[np.float32]], chips: Sequence[Chip], threshold: float
) -> tuple[float, float, float]:
    """F1, precision and recall over known pixels."""
    found = np.concatenate([p.ravel() >= threshold for p in probabilities])
    label = np.concatenate([np.asarray(chip.label).ravel() for chip in chips])
    tp = int((found & (label == 1)).sum())
    fp, fn = int((found & (label == 0)).sum()), int((~found & (label == 1)).sum())
    return 2 * tp / max(1, 2 * tp + fp + fn), tp / max(1, tp + fp), tp / max(1, tp + fn)


def sure_of(
    model: ChangeClipDetector,
    probabilities: Sequence[NDArray[np.float32]],
    pixel_m: float,
    as_run: bool,
) -> list[NDArray[np.float32]]:
    """The probabilities without polygons that a run leaves out, if wanted: 0 there."""
    rule = model.confidence
    sure = confidence_for(rule, pixel_m, None, "") if as_run else UNSTATED
    return [_sure(p, model.threshold, sure) if as_run else p for p in probabilities]


def _sure(p: NDArray[np.float32], threshold: float, sure: Confidence) -> NDArray[np.float32]:
    whole = Window(0, 0, *p.shape)
    values, lowest = np.rint(p * MAX_BYTE).astype(np.uint8), threshold_byte(threshold)
    rows = trace_regions(values, whole, lowest, whole.width).regions.rows
    kept = rows["pixels"] >= MIN_AREA_PX
    keep = sure.filter()
    if keep is not None:
        kept &= keep.confidence(rows) >= keep.least
    numbers = ndimage.label(values >= lowest)[0]
    own = numbers.ravel()[rows["first"][kept]]
    return np.where(np.isin(numbers, own), p, np.float32(0))


def boundary_f1(
    probabilities: Sequence[NDArray[np.float32]], chips: Sequence[Chip], threshold: float
) -> float:
    """F1 of outlines that lie within NEAR_PX of each other."""
    counts = (
        boundary_counts(p >= threshold, np.asarray(chip.label), NEAR_PX)
        for p, chip in zip(probabilities, chips, strict=True)
    )
    return sum(counts, BoundaryCounts()).f1


def spec_of(name: str, **options: Any) -> DetectorSpec:
    return DetectorSpec(str(locate_weights(name)), **options)


def numbers_text(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.3f}" for value in values)


def judge(name: str, library: Library, options: argparse.Namespace) -> None:
    """Print the figures of a model."""
    model = spec_of(name).build()
    quiet = answers(model, unchanged_chips(library, options.pairs))
    at = model.threshold if options.run else least_threshold(quiet, options.false)
    false = np.mean([(p >= at).mean() for p in sure_of(model, quiet, NEAR_M, options.run)])
    print(f"{name}: threshold {at:.2f}, of unchanged pixels {100 * false:.2f} %", flush=True)
    for kind in ("near", "far"):
        chips = list(planted_chips(library, kind == "far", options.pairs, FIRST_SEED))
        said = sure_of(
            model, answers(model, chips), FAR_M if kind == "far" else NEAR_M, options.run
        )
        edges = boundary_f1(said, chips, at)
        print(f"  {kind}: {numbers_text(f1(said, chips, at))}, boundary {edges:.3f}", flush=True)
    chips = list(with_buildings(library, options.pairs))
    print(
        f"  building, as change: {numbers_text(f1(answers(model, chips), chips, at))}", flush=True
    )
    if not model.land_classes:
        return
    only = spec_of(name, only=("building",)).build()
    print(f"  building: {numbers_text(f1(answers(only, chips), chips, at))}", flush=True)
    if not options.land:
        return
    checkpoint = read_checkpoint(locate_weights(name))
    network = checkpoint.build_land() or checkpoint.build()
    figures = validate_land(network, read_land(options.folder / "labelled", None, kept_out=True))
    print("  land:", {key: round(value, 3) for key, value in figures.told().items()}, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*", default=["changeclip-small"])
    parser.add_argument("--pairs", type=int, default=100)
    parser.add_argument("--false", type=float, default=0.01)
    parser.add_argument("--run", action="store_true")
    parser.add_argument("--land", action="store_true")
    options = parser.parse_args()
    library = read_library(options.folder, kept_out=True)
    for name in options.models:
        judge(name, library, options)


if __name__ == "__main__":
    main()
