"""Scenes: pictures that show one thing each, by class, and what a CLIP learns from them.

A folder of scenes holds one folder per class (UC Merced Land Use, Yang and Newsam 2010, is one).
Every fifth picture of a class is kept out of what is learnt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch.nn import functional as F

from geochange.errors import InputError
from geochange.training.sampler import chip_at
from geochange.training.views import look_again, mix

MIXED_EVERY = 3
"""Pictures of every so many-th step are mixed."""

KEPT_OUT = 5
"""Every so many-th picture of a class is for judging alone."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp")

WORDINGS: Mapping[str, tuple[str, ...]] = {
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
"""What the classes of UC Merced are called, the plainest name first; other classes go by their
folder's name."""

TEMPLATES = (
    "{}",
    "{}",
    "an aerial photo of {}",
    "a satellite image of {}",
    "{} seen from above",
    "remote sensing image foreground objects, {}",
)
"""The bare name, as prompting uses it, is as likely as any two others."""


@dataclass(frozen=True)
class Scenes:
    """Pictures in memory: (picture, 3, side, side) uint8, and the class of each."""

    pictures: torch.Tensor
    labels: torch.Tensor
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)


def names_of(scene: str) -> tuple[str, ...]:
    """What a class may be called."""
    return WORDINGS.get(scene, (scene.replace("_", " ").replace("-", " "),))


def read_scenes(folder: Path, side_px: int, *, kept_out: bool) -> Scenes:
    """The pictures of a folder that are learnt from, or those kept out, as squares of a size.

    Raises InputError where there is none, or one cannot be read.
    """
    classes = sorted(path for path in folder.glob("*/") if path.is_dir())
    pictures, labels = [], []
    for number, place in enumerate(classes):
        files = sorted(f for f in place.iterdir() if f.suffix.lower() in SUFFIXES)
        chosen = [f for i, f in enumerate(files) if (i % KEPT_OUT == KEPT_OUT - 1) == kept_out]
        pictures += [_read(file, side_px) for file in chosen]
        labels += [number] * len(chosen)
    if len(set(labels)) < 2:
        raise InputError(f"{folder}: holds no folders of pictures, one for each class of scenes")
    stacked = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).contiguous()
    return Scenes(stacked, torch.tensor(labels), tuple(place.name for place in classes))


def _read(file: Path, side_px: int) -> np.ndarray:
    try:
        with Image.open(file) as image:
            rgb = image.convert("RGB")
            return np.asarray(rgb.resize((side_px, side_px), Image.Resampling.BICUBIC))
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"{file} cannot be read as a picture; remove it") from error


@dataclass(frozen=True)
class SceneLesson:
    """Pictures and captions as a CLIP learns from them.

    inputs: (batch, 3, side, side) float RGB in 0-255, and (caption, places) tokens. labels:
    (batch, caption), the share that each caption should have.
    """

    inputs: tuple[torch.Tensor, torch.Tensor]
    labels: torch.Tensor

    @property
    def known(self) -> int:
        """Pictures."""
        return len(self.labels)


def caption_loss(logits: torch.Tensor, labels: torch.Tensor, known: float) -> torch.Tensor:
    """Cross-entropy between captions' shares and what is said of them, over a step's pictures.

    Several captions fit one picture, and pictures of one class have the same: the targets of
    supervised contrast (Khosla et al., NeurIPS 2020) on the side of the texts.
    """
    said = F.log_softmax(logits.float(), dim=1)
    return -(labels * said).sum() / max(1.0, known)


def caption_targets(
    classes: Sequence[str], captions: Sequence[str], smoothing: float
) -> torch.Tensor:
    """(class, caption): a class's own names share alike in all but `smoothing`."""
    own = torch.tensor([[float(c in names_of(name)) for c in captions] for name in classes])
    return own / own.sum(1, keepdim=True) * (1 - smoothing) + smoothing / len(captions)


@dataclass(frozen=True)
class SceneLessons:
    """Every step's pictures and captions, as functions of its number alone.

    tokens: (caption, places) for each template. targets: (class, caption). side_px, small_steps:
    of the pictures, of half that size in the first so many steps. mixed_steps: those in which
    pictures are mixed, as strongly as `mixing` says.
    """

    scenes: Scenes
    tokens: Sequence[torch.Tensor]
    targets: torch.Tensor
    batch: int
    side_px: int
    small_steps: float
    mixing: float
    mixed_steps: float
    seed: int

    def __getitem__(self, step: int) -> SceneLesson:
        """The lesson of a step."""
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + step)
        samples = range(step * self.batch, (step + 1) * self.batch)
        numbers = [chip_at(sample, len(self.scenes), self.seed) for sample in samples]
        side = self.side_px // 2 if step < self.small_steps else self.side_px
        pictures = look_again(self.scenes.pictures[numbers], side, draw)
        wanted = self.targets[self.scenes.labels[numbers]]
        if step < self.mixed_steps and step % MIXED_EVERY == 0:
            pictures, wanted = mix(pictures, wanted, self.mixing, draw)
        tokens = self.tokens[int(torch.randint(len(self.tokens), (1,), generator=draw))]
        return SceneLesson((pictures, tokens), wanted)


def share_among(
    logits: torch.Tensor, labels: torch.Tensor, captions: Sequence[int], most: int
) -> float:
    """Share of pictures whose class is among the `most` best of all.

    logits: (picture, caption). captions: for each class the caption that stands for it.
    """
    order = logits[:, list(captions)].argsort(dim=1, descending=True)
    return float((order[:, :most] == labels[:, None]).any(dim=1).float().mean())
