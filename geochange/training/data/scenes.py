"""Scenes: pictures that show one class each, from which a CLIP learns.

A folder of scenes holds one folder per class, such as UC Merced Land Use (Yang and Newsam 2010).
Every fifth picture of a class is kept out of training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from geochange.errors import InputError
from geochange.training.data.picture_file import open_picture
from geochange.training.data.random_views import mix_pictures, random_view
from geochange.training.data.sampler import chip_of_sample

MIXED_EVERY = 3
"""The pictures of every third step are mixed."""

HELD_OUT_EVERY = 5
"""Every fifth picture of a class is kept out for selection."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")

CLASS_WORDINGS: Mapping[str, tuple[str, ...]] = {
    "agricultural": ("agricultural", "farmland", "fertile land", "cotton field"),
    "airplane": ("airplane", "airport"),
    "baseballdiamond": ("baseball diamond", "ground track field"),
    "beach": ("beach", "sea"),
    "buildings": ("building", "commercial area"),
    "chaparral": ("chaparral", "shrubbery"),
    "denseresidential": ("dense residential",),
    "forest": ("forest", "tree"),
    "freeway": ("freeway", "highway"),
    "golfcourse": ("golf course", "park"),
    "harbor": ("harbor", "ship"),
    "intersection": ("intersection", "road"),
    "mediumresidential": ("medium residential", "single-family residential"),
    "mobilehomepark": ("mobile home park",),
    "overpass": ("overpass", "interchange", "bridge"),
    "parkinglot": ("parking lot", "cars", "impermeable surface"),
    "river": ("river",),
    "runway": ("runway",),
    "sparseresidential": ("sparse residential", "cabin"),
    "storagetanks": ("storage tanks", "oil tank"),
    "tenniscourt": ("tennis court",),
}
"""Names of the classes of UC Merced, the plainest first. Other classes are named like their folder."""

TEMPLATES = (
    "{}",
    "{}",
    "an aerial photo of {}",
    "a satellite image of {}",
    "{} seen from above",
    "remote sensing image foreground objects, {}",
)
"""Templates of captions. The bare name, as prompting uses it, is as likely as any two others."""


@dataclass(frozen=True)
class LabelledScenes:
    """Pictures in memory: (picture, 3, side, side) uint8, and the class of each."""

    pictures: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def names_of(scene: str) -> tuple[str, ...]:
    """The names of a class."""
    return CLASS_WORDINGS.get(scene, (scene.replace("_", " ").replace("-", " "),))


def read_scenes(folder: Path, side_px: int, *, kept_out: bool) -> LabelledScenes:
    """The pictures of a folder that are learnt, or those kept out, as squares of one size.

    Raises InputError where there is none, or one cannot be read.
    """
    classes = classes_in(folder)
    pictures, labels = [], []
    for number, name in enumerate(classes):
        files = sorted(f for f in (folder / name).iterdir() if f.suffix.lower() in SUFFIXES)
        chosen = [
            f for i, f in enumerate(files) if (i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == kept_out
        ]
        pictures += [_read(file, side_px) for file in chosen]
        labels += [number] * len(chosen)
    if len(set(labels)) < 2:
        raise InputError(f"{folder}: holds no folders of pictures, one for each class of scenes")
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return LabelledScenes(stacked, torch.tensor(labels), classes)


def classes_in(folder: Path) -> tuple[str, ...]:
    """The classes of a folder of scenes, in order."""
    return tuple(sorted(path.name for path in folder.glob("*/") if path.is_dir()))


def _read(file: Path, side_px: int) -> np.ndarray:
    rgb = open_picture(file)
    return np.asarray(rgb.resize((side_px, side_px), Image.Resampling.BICUBIC))


@dataclass(frozen=True)
class SceneBatch:
    """A batch of pictures and captions for CLIP.

    inputs: (batch, 3, side, side) float RGB in 0-255, and (caption, places) tokens. labels: (batch,
    caption), the target share of each caption.
    """

    inputs: tuple[torch.Tensor, torch.Tensor]
    labels: torch.Tensor

    @property
    def known(self) -> int:
        """The number of pictures."""
        return len(self.labels)


def caption_loss(logits: torch.Tensor, labels: torch.Tensor, known: float) -> torch.Tensor:
    """Cross-entropy between the target shares of captions and their scores, over a step's pictures.

    Several captions fit one picture, and pictures of one class share them: the targets of
    supervised contrast (Khosla et al., NeurIPS 2020) on the side of the texts.
    """
    said = F.log_softmax(logits.float(), dim=1)
    return -(labels * said).sum() / max(1.0, known)


def caption_targets(
    classes: Sequence[str], captions: Sequence[str], smoothing: float
) -> torch.Tensor:
    """(class, caption) targets: a class's own names share all but `smoothing` equally."""
    own = torch.tensor([[float(c in names_of(name)) for c in captions] for name in classes])
    return own / own.sum(1, keepdim=True) * (1 - smoothing) + smoothing / len(captions)


@dataclass(frozen=True)
class SceneLoader:
    """The pictures and captions of every step; they depend on the number of the step alone.

    tokens: (caption, places) for each template. targets: (class, caption). side_px: of the
    pictures; half of it in the first `small_steps`. mixed_steps: steps whose pictures are mixed,
    with the strength `mixing`.
    """

    scenes: LabelledScenes
    tokens: Sequence[torch.Tensor]
    targets: torch.Tensor
    batch: int
    side_px: int
    small_steps: float
    mixing: float
    mixed_steps: float
    seed: int

    def __getitem__(self, step: int) -> SceneBatch:
        """The batch of a step."""
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        samples = range(step * self.batch, (step + 1) * self.batch)
        numbers = [chip_of_sample(sample, len(self.scenes), self.seed) for sample in samples]
        side = self.side_px // 2 if step < self.small_steps else self.side_px
        pictures = random_view(self.scenes.pictures[numbers], side, draw)
        wanted = self.targets[self.scenes.labels[numbers]]
        if step < self.mixed_steps and step % MIXED_EVERY == 0:
            pictures, wanted = mix_pictures(pictures, wanted, self.mixing, draw)
        tokens = self.tokens[int(torch.randint(len(self.tokens), (1,), generator=draw))]
        return SceneBatch((pictures, tokens), wanted)


def class_meanings(
    classes: Sequence[str], vocabulary: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """The names of each class that are in a vocabulary; for those with several, they mean one thing."""
    every = (tuple(name for name in names_of(each) if name in vocabulary) for each in classes)
    return tuple(names for names in every if len(names) > 1)


def least_sure_score(
    logits: torch.Tensor, scenes: LabelledScenes, vocabulary: Sequence[str], wanted: float
) -> float:
    """From which score on so large a share of what is said of scenes is right; 1 from none on.

    logits: (picture, name) of the vocabulary. The names of a class score together.
    """
    own = [[i for i, n in enumerate(vocabulary) if n in names_of(each)] for each in scenes.classes]
    alone = sorted(set(range(len(vocabulary))).difference(*own))
    scores = logits.softmax(dim=1)
    groups = [*own, *([number] for number in alone)]
    top, best = torch.stack([scores[:, group].sum(dim=1) for group in groups], dim=1).max(dim=1)
    right = best == scenes.labels
    for step in range(101):
        said = top >= step / 100
        if said.any() and float(right[said].float().mean()) >= wanted:
            return step / 100
    return 1.0


def top_accuracy(
    logits: torch.Tensor, labels: torch.Tensor, captions: Sequence[int], most: int
) -> float:
    """The share of pictures whose class is among the `most` best.

    logits: (picture, caption). captions: the caption that stands for each class.
    """
    order = logits[:, list(captions)].argsort(dim=1, descending=True)
    return float((order[:, :most] == labels[:, None]).any(dim=1).float().mean())
