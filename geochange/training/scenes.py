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

KEPT_OUT = 5
"""Every so many-th picture of a class is for judging alone."""

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")

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


def look_again(pictures: torch.Tensor, side_px: int, draw: torch.Generator) -> torch.Tensor:
    """Random crops, turns, flips, stretches and colours of (batch, 3, s, s) uint8.

    Returns (batch, 3, side_px, side_px) float in 0-255.
    """
    x = F.avg_pool2d(F.pad(pictures.float(), (0, 1, 0, 1), "replicate"), 2, 1)
    grid = F.affine_grid(_moves(len(x), draw), [len(x), 3, side_px, side_px], align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="reflection", align_corners=False)
    return _recolour(x, draw)


def _moves(count: int, draw: torch.Generator) -> torch.Tensor:
    """(count, 2, 3): from the crop's places to the picture's, both from -1 to 1."""

    def uniform(low: float, high: float) -> torch.Tensor:
        return torch.rand(count, generator=draw) * (high - low) + low

    size = uniform(0.35, 1.0).sqrt()
    shape = uniform(-0.2, 0.2).exp()
    quarter = torch.randint(4, (count,), generator=draw) * (torch.pi / 2)
    angle = quarter + uniform(-0.35, 0.35)
    flip = 1.0 - 2.0 * torch.randint(2, (count,), generator=draw)
    wide, high = size * shape * flip, size / shape
    rows = [angle.cos() * wide, -angle.sin() * high, angle.sin() * wide, angle.cos() * high]
    shift = [uniform(-1, 1) * (1 - size), uniform(-1, 1) * (1 - size)]
    return torch.stack([rows[0], rows[1], shift[0], rows[2], rows[3], shift[1]], 1).view(-1, 2, 3)


def _recolour(x: torch.Tensor, draw: torch.Generator) -> torch.Tensor:
    """Contrast, brightness, saturation and the tint of the light."""
    count = len(x)

    def factor(width: float, channels: int = 1) -> torch.Tensor:
        drawn = torch.randn(count, channels, 1, 1, generator=draw)
        return (width * drawn).clamp(-2 * width, 2 * width).exp()

    mean = x.mean((1, 2, 3), keepdim=True)
    x = (x - mean) * factor(0.25) + mean * factor(0.2)
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * factor(0.35)
    return (x * factor(0.08, 3)).clamp(0, 255)


def mix(
    pictures: torch.Tensor, labels: torch.Tensor, strength: float, draw: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Every picture with its neighbour: as a blend, or a box of it (mixup, CutMix).

    strength: of the beta distribution that the shares are drawn from; 0 leaves all as it is.
    Source: Zhang et al., ICLR 2018; Yun et al., ICCV 2019.
    """
    if strength <= 0:
        return pictures, labels
    concentration = np.random.default_rng(int(torch.randint(2**31, (1,), generator=draw)))
    share = float(concentration.beta(strength, strength))
    if concentration.random() < 0.5:
        mixed = share * pictures + (1 - share) * pictures.roll(1, 0)
    else:
        mixed, share = _box(pictures, share, concentration)
    return mixed, share * labels + (1 - share) * labels.roll(1, 0)


def _box(
    pictures: torch.Tensor, share: float, draw: np.random.Generator
) -> tuple[torch.Tensor, float]:
    height, width = pictures.shape[2:]
    rows, cols = (max(1, round(side * (1 - share) ** 0.5)) for side in (height, width))
    top, left = draw.integers(height - rows + 1), draw.integers(width - cols + 1)
    mixed = pictures.clone()
    part = slice(top, top + rows), slice(left, left + cols)
    mixed[:, :, *part] = pictures.roll(1, 0)[:, :, *part]
    return mixed, 1 - rows * cols / (height * width)
