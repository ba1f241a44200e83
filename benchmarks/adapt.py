"""Does a network find more changes in a pair after it taught itself on that pair, without labels?

python benchmarks/adapt.py FOLDER planted|pairs [--only NAME]: FOLDER holds the pictures of
docs/default-network.md. `planted` measures on planted scenes of kept-out cities: recipes are chosen
there. `pairs` measures on labelled pairs, whose labels choose nothing. It prints pixel F1 before and
after at the threshold of the network, and the interval of the gain that holds 95 % if other squares
of 256 px were drawn.

The recipe is a mean teacher (Tarvainen and Valpola 2017) with pseudo-labels that four views agree on
(FixMatch, Sohn et al. 2020): change where all of them say so, unchanged where all say less than half of
the threshold, unknown elsewhere. The student sees crops in other light, mirrored and with swapped
dates. Every fifth square is held out; a student that fits its pseudo-labels worse than the network
did, or whose share of change left a quarter to four times of it, is refused: the network stays.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from geochange.chip import UNKNOWN, Chip
from geochange.dataset import open_split
from geochange.models.detector import DetectorSpec
from geochange.models.inference.batch import collate
from geochange.models.learning.labelled_batch import collate_labelled
from geochange.models.learning.trainable import TrainableChangeClip
from geochange.models.prompts import Names
from geochange.models.weights.checkpoint import read_checkpoint
from geochange.models.weights.locate import locate_weights
from geochange.training.data.augment import Augmentation, augment
from geochange.training.fabric_devices import FabricDevices
from geochange.training.losses import find_loss
from geochange.training.lr_schedule import parameter_groups
from geochange.training.metrics.counts import Counts
from geochange.training.planting import Library, planted_chips, read_library
from geochange.training.training_state import OptimizerSettings, TrainingState

FIRST_SEED = 9_000_000
SQUARES, HELD_OUT_EVERY = 16, 5
ROUNDS, STEPS, CROPS, LR, EMA = 2, 25, 8, 1e-4, 0.95
SEEN = Augmentation(size_px=128, rotate=0.0, crop_share=1.0, photometric=0.8, swap=0.5)
VIEWS = ((0, False), (2, False), (1, True), (3, True))
"""Quarter turns, and whether the dates are swapped."""

DRAWS = 2000
Probability = NDArray[np.float32]


@dataclass(frozen=True)
class Scene:
    """Squares of one pair with their labels, which are only measured with."""

    name: str
    chips: list[Chip]


def shifted(chip: Chip) -> Chip:
    """The same pair from a duller camera before and a darker day after, beyond what is planted."""
    before = ndimage.gaussian_filter(chip.before.astype(np.float32), (1.2, 1.2, 0)) * 0.7 + 60
    after = 255 * (chip.after / np.float32(255)) ** 1.6
    dates = (np.clip(date, 0, 255).astype(np.uint8) for date in (before, after))
    return Chip(*dates, chip.valid, chip.label)


ORBIT = "from orbit"
CITIES = (("eureka", False), ("santa_monica", True), ("bishop", True), (ORBIT, False))
"""Kept-out cities, and whether their pairs are shifted."""


def planted_scenes(folder: Path) -> Iterator[Scene]:
    library = read_library(folder, kept_out=True)
    for number, (city, odd) in enumerate(CITIES):
        far = city == ORBIT
        here = [p for p in library.places if p.far == far and (far or f"/{city}_" in p.names[0])]
        town = Library(tuple(here), library.towns)
        chips = list(planted_chips(town, far, SQUARES, FIRST_SEED + 1000 * number))
        name = f"{city}{', shifted' if odd else ''}"
        yield Scene(name, [shifted(chip) for chip in chips] if odd else chips)


PAIRS = {
    **dict.fromkeys(("levir_test_1", "levir_test_2"), "1,2,3"),
    **dict.fromkeys(("oscd_rennes", "oscd_nantes", "oscd_bordeaux"), "4,3,2"),
}
SZTAKI = ("Archive", "Szada_3", "Tiszadob_1")
"""One of each site: the first of the training split."""


def labelled_scenes(folder: Path) -> Iterator[Scene]:
    for name, bands in PAIRS.items():
        with tempfile.TemporaryDirectory() as scratch:
            split = Path(scratch, "all")
            split.mkdir()
            (split / name).symlink_to(folder / "pairs" / name)
            source = open_split(Path(scratch), "all", layout="pairs", bands=bands)
            shape = source.scenes[0].pair.grid.shape
            yield Scene(name, [once(source[i], i, shape) for i in range(len(source))])
    source = open_split(folder / "chips" / "sztaki", "train")
    for name in SZTAKI:
        numbers = [i for i in range(len(source)) if source.name(i).startswith(name)]
        yield Scene(name, [source[i] for i in numbers])


def once(chip: Chip, number: int, shape: tuple[int, int]) -> Chip:
    """A square without labels where it overlaps the one before, as the last of a row or column does."""
    label, side = np.array(chip.label), chip.shape[0]
    for axis, place in enumerate(divmod(number, -(-shape[1] // side))):
        overlap = max(0, (place + 1) * side - shape[axis]) if place else 0
        label[(slice(overlap), slice(None))[:: 1 - 2 * axis]] = UNKNOWN
    return replace(chip, label=label)


class Adaptation:
    """A network that teaches itself on one scene."""

    def __init__(self, model: str, scene: Scene) -> None:
        self.scene, file = scene, str(locate_weights(model))
        checkpoint = read_checkpoint(file)
        self.card = checkpoint.card
        namer = DetectorSpec(file).build()
        named = [namer.names(collate([chip])) for chip in scene.chips]
        self.names: list[tuple[Names, Names]] = [(one[0], two[0]) for one, two in named]
        module = TrainableChangeClip(checkpoint.build(), frozen=True, steady=True)
        module.prepare_on(torch.device("cpu"))
        self.first = module.eval()
        settings = OptimizerSettings(find_loss("cross_entropy+dice"), rate, clip_norm=1.0, ema=EMA)
        fabric = FabricDevices("cpu").fabric()
        self.state = TrainingState(fabric, module, parameter_groups(module, 0.01), settings)

    def predict(self, module: torch.nn.Module, number: int, turns: int, swap: bool) -> Probability:
        chip = self.scene.chips[number]
        one, two = (np.rot90(date, turns).copy() for date in (chip.before, chip.after))
        names = self.names[number]
        seen = Chip(two, one, chip.valid, chip.label) if swap else Chip(one, two, chip.valid)
        blank = replace(seen, label=np.zeros(chip.shape, np.uint8))
        lesson = collate_labelled([(blank, names[::-1] if swap else names)], self.places)  # type: ignore[list-item]
        with torch.no_grad():
            logits = module.eval()(*lesson.inputs)[0]
        p = torch.sigmoid((logits[1] - logits[0]) / self.card.temperature).numpy()
        return np.rot90(p, -turns).copy()

    @property
    def places(self) -> int:
        return self.card.options.text.places

    def pseudo_label(self, module: torch.nn.Module, number: int) -> NDArray[np.uint8]:
        views = np.stack([self.predict(module, number, *view) for view in VIEWS])
        at, valid = self.card.threshold, self.scene.chips[number].valid
        label = np.full(valid.shape, UNKNOWN, np.uint8)
        label[(views.max(axis=0) < at / 2) & valid] = 0
        label[(views.min(axis=0) >= at) & valid] = 1
        return label

    def learn(self) -> None:
        """All rounds: pseudo-labels of the teacher, then steps of the student."""
        numbers = range(len(self.scene.chips))
        self.pseudo = [self.pseudo_label(self.first, i) for i in numbers]
        self.before = [self.predict(self.first, i, 0, False) for i in numbers]
        self.before_fit = self.fit(self.before)
        draw, labels = np.random.default_rng(0), self.pseudo
        taught = [i for i in numbers if i % HELD_OUT_EVERY] or list(numbers)
        for done in range(ROUNDS):
            if done:
                labels = [self.pseudo_label(self.state.best_module, i) for i in numbers]
            for step in range(done * STEPS, (done + 1) * STEPS):
                picked = draw.choice(taught, CROPS)
                chips = [
                    augment(
                        replace(self.scene.chips[i], label=labels[i]), SEEN, step * CROPS + place
                    )
                    for place, i in enumerate(picked)
                ]
                lesson = collate_labelled(
                    [(c, self.names[i]) for c, i in zip(chips, picked, strict=True)], self.places
                )
                self.state.learn(step, [lesson])
        self.after = [self.predict(self.state.best_module, i, 0, False) for i in numbers]

    def fit(self, answers: Sequence[Probability]) -> float:
        """Mean cross-entropy with the first pseudo-labels of the held-out squares."""
        total, known = 0.0, 1
        for p, label in list(zip(answers, self.pseudo, strict=True))[::HELD_OUT_EVERY]:
            right = np.where(label == 1, p, 1 - p)[label != UNKNOWN]
            total, known = total - float(np.log(right.clip(1e-6)).sum()), known + right.size
        return total / known

    def refused(self) -> str:
        """Why the student is not handed back; "" if it is."""
        at = self.card.threshold
        shares = [np.mean([(p >= at).mean() for p in ps]) for ps in (self.before, self.after)]
        if not shares[0] / 4 <= shares[1] <= max(shares[0] * 4, 1e-4):
            return f"collapsed: share of change {shares[0]:.4f} -> {shares[1]:.4f}"
        if self.fit(self.after) > self.before_fit:
            return f"lost on held-out squares: {self.before_fit:.4f} -> {self.fit(self.after):.4f}"
        return ""


def rate(step: int) -> float:
    return LR * min(1.0, (step + 1) / 5)


def f1(cells: NDArray[np.int64]) -> NDArray[np.float64]:
    tp, fp, fn, _ = np.moveaxis(cells, -1, 0)
    return np.asarray(2 * tp / np.maximum(1, 2 * tp + fp + fn))


def counts(scene: Scene, answers: Sequence[Probability], at: float) -> NDArray[np.int64]:
    """(square, 4) tp, fp, fn, tn."""
    rows = zip(answers, scene.chips, strict=True)
    return np.array([astuple(Counts.of(p >= at, np.asarray(c.label))) for p, c in rows], np.int64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("kind", choices=("planted", "pairs"))
    parser.add_argument("--model", default="changeclip-small")
    parser.add_argument("--only", help="one scene of them, by its name")
    options = parser.parse_args()
    scenes = (planted_scenes if options.kind == "planted" else labelled_scenes)(options.folder)
    drawn = []
    for scene in scenes:
        if options.only not in (None, scene.name):
            continue
        adaptation = Adaptation(options.model, scene)
        adaptation.learn()
        drawn.append(report(adaptation))
    gain, *draws = np.mean(drawn, axis=0)
    low, high = np.quantile(draws, (0.025, 0.975))
    print(f"mean gain {gain:+.3f} ({low:+.3f} to {high:+.3f}); a refused network gains nothing")


def report(adaptation: Adaptation) -> NDArray[np.float64]:
    """Print F1 before and after; returns the gain of what is handed back, and that of each draw."""
    scene, at = adaptation.scene, adaptation.card.threshold
    one, two = (counts(scene, each, at) for each in (adaptation.before, adaptation.after))
    picked = np.random.default_rng(0).integers(len(one), size=(DRAWS, len(one)))
    gains = f1(two[picked].sum(axis=1)) - f1(one[picked].sum(axis=1))
    low, high = np.quantile(gains, (0.025, 0.975))
    before, after = float(f1(one.sum(axis=0))), float(f1(two.sum(axis=0)))
    print(
        f"{scene.name} ({len(one)} squares): F1 {before:.3f} -> {after:.3f}, gain {after - before:+.3f} "
        f"({low:+.3f} to {high:+.3f}); {adaptation.refused() or 'handed back'}",
        flush=True,
    )
    return np.array([after - before, *gains]) * (not adaptation.refused())


if __name__ == "__main__":
    main()
