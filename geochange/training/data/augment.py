"""Augmentation: geometric changes for both dates and the label alike, colour changes per date.

Source: the published recipe (ChangeCLIP, Dong et al. 2024, sec. 4.2). Its distortions are those of
SSD (Liu et al. 2016, sec. 2.2) as mmsegmentation implements them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms.v2 import InterpolationMode
from torchvision.transforms.v2 import functional as F

from geochange.chip import UNKNOWN, Chip, Pixels
from geochange.training.data.band_augment import BandJitter, add_speckle

CROP_ATTEMPTS = 10
"""The most crops that are tried until one is found that no single class fills."""

_LEVELS = np.arange(256.0)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """The random changes of a chip. The defaults are the published ones.

    size_px: side of the crop. rotate: probability of a rotation by up to `rotate_degrees` to either
    side. crop_share: the largest share of a crop's known pixels that one class may fill. flip:
    probability along each axis. photometric: probability of each of the four distortions, at each
    date: brightness (added, of 255), contrast and saturation (multiplied by 1 - x to 1 + x), hue
    (rotated). swap: probability that the dates change places.

    mean, std: of each band, for other bands than RGB in 0-255; see `BandJitter`. speckle: probability
    of added speckle at each date, for decibels. looks: of that speckle.
    """

    size_px: int = 256
    rotate_degrees: float = 180.0
    rotate: float = 0.5
    crop_share: float = 0.75
    flip: float = 0.5
    photometric: float = 0.5
    brightness: float = 10.0
    contrast: float = 0.2
    saturation: float = 0.2
    hue_degrees: float = 20.0
    swap: float = 0.0
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    speckle: float = 0.0
    looks: float = 4.4


def augment(chip: Chip, augmentation: Augmentation, seed: int) -> Chip:
    """Augment a labelled chip of 8-bit RGB, or of bands with a mean and a deviation as float32.

    The result depends on the arguments alone. Returns (size_px, size_px) pixels. Those that a rotation
    or a small chip leaves empty are zero at both dates, invalid, and of unknown label. Invalid pixels
    stay equal at both dates. The global random state is neither used nor changed.
    """
    draw = np.random.default_rng(seed)
    swapped = draw.random() < augmentation.swap
    moved = _transform(chip, augmentation, draw)
    dates = [_change_date(date, augmentation, draw) for date in (moved.before, moved.after)]
    one, two = (_where(moved.valid, date, moved.before) for date in dates)
    land = moved.land
    if swapped:
        one, two = two, one
        land = None if land is None else land[::-1].copy()
    return Chip(one, two, moved.valid, moved.label, land)


def _change_date(picture: Pixels, a: Augmentation, draw: np.random.Generator) -> Pixels:
    if not a.std:
        return _change_colours(picture, a, draw)
    jitter = BandJitter(a.mean, a.std, a.photometric, a.brightness, a.contrast)
    changed = jitter.apply(picture, draw)
    return add_speckle(changed, a.looks, draw) if draw.random() < a.speckle else changed


def _transform(chip: Chip, a: Augmentation, draw: np.random.Generator) -> Chip:
    """Rotate, crop and flip everything alike."""
    pictures, label = _stack(chip, np.dtype(np.float32 if a.std else np.uint8))
    if draw.random() < a.rotate:
        angle = draw.uniform(-a.rotate_degrees, a.rotate_degrees)
        pictures = F.rotate(pictures, angle, InterpolationMode.BILINEAR)
        label = F.rotate(label, angle, fill=UNKNOWN)
    pictures, label = _crop(pictures, label, a, draw)
    for flip in (F.horizontal_flip, F.vertical_flip):
        if draw.random() < a.flip:
            pictures, label = flip(pictures), flip(label)
    return _unstack(pictures, label)


def _stack(chip: Chip, dtype: np.dtype[Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """(2 * bands + 1, height, width) before, after and validity; (1 or 3, height, width) labels.

    The label of change is first, then the classes of both dates, if the chip has them.
    """
    if chip.label is None:
        raise ValueError("a chip for training needs a label")
    bands = chip.before.shape[-1]
    planes = np.empty((2 * bands + 1, *chip.shape), dtype)
    planes[:bands] = np.moveaxis(chip.before, -1, 0)
    planes[bands:-1] = np.moveaxis(chip.after, -1, 0)
    # Validity is rotated as a picture: where one invalid pixel was mixed in, it is below 255.
    planes[-1] = chip.valid * np.uint8(255)
    # Labels are copied: an array from a file may be read-only, which torch does not support.
    labels = [chip.label[None]] if chip.land is None else [chip.label[None], chip.land]
    label = torch.from_numpy(np.concatenate(labels))
    return tv_tensors.Image(torch.from_numpy(planes)), tv_tensors.Mask(label)


def _unstack(pictures: torch.Tensor, label: torch.Tensor) -> Chip:
    planes, known = pictures.numpy(), label.numpy()
    # Floats of a rotation are off by their last digit.
    valid = planes[-1] >= 254.99
    before, after = (
        np.ascontiguousarray(np.moveaxis(part, 0, -1)) for part in np.split(planes[:-1], 2)
    )
    truth = np.where(valid, known, np.uint8(UNKNOWN))
    land = truth[1:] if len(truth) > 1 else None
    return Chip(before, _where(valid, after, before), valid, truth[0], land)


def _where(valid: NDArray[np.bool_], picture: Pixels, otherwise: Pixels) -> Pixels:
    """The picture where it is valid, `otherwise` elsewhere."""
    return picture if valid.all() else np.where(valid[..., None], picture, otherwise)


def _crop(
    pictures: torch.Tensor, label: torch.Tensor, a: Augmentation, draw: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """A random square crop, padded at the right and below if the picture is smaller."""
    height, width = label.shape[-2:]
    spare = np.array([height - a.size_px, width - a.size_px])
    if (spare < 0).any():
        down, right = (int(x) for x in np.maximum(-spare, 0))
        pictures = F.pad(pictures, [0, 0, right, down])
        label = F.pad(label, [0, 0, right, down], fill=UNKNOWN)
    place = (0, 0)
    for _ in range(CROP_ATTEMPTS if (spare > 0).any() else 0):
        top, left = (int(x) for x in draw.integers(np.maximum(spare, 0), endpoint=True))
        place = top, left
        if _is_mixed(label[0, top : top + a.size_px, left : left + a.size_px], a.crop_share):
            break
    box = (*place, a.size_px, a.size_px)
    return F.crop(pictures, *box), F.crop(label, *box)


def _is_mixed(label: torch.Tensor, share: float) -> bool:
    """Whether some pixels are known and no class fills more than `share` of them."""
    values = label.numpy()
    known, changed = int((values != UNKNOWN).sum()), int((values == 1).sum())
    return known > 0 and max(changed, known - changed) <= share * known


def _change_colours(
    picture: NDArray[np.uint8], a: Augmentation, draw: np.random.Generator
) -> NDArray[np.uint8]:
    """Change brightness, contrast, saturation and hue of one (height, width, 3) picture.

    As published, contrast scales the values and saturation scales the S of HSV. torchvision blends
    with a grey picture instead.
    """
    chosen = draw.random(4) < a.photometric
    most = (a.brightness, a.contrast, a.saturation, a.hue_degrees)
    brightness, contrast, saturation, degrees = draw.uniform(-1, 1, 4) * most * chosen
    early = draw.random() < 0.5
    image = Image.fromarray(picture)
    contrasted = _table(_LEVELS * (1 + contrast)) * 3
    if brightness:
        image = image.point(_table(_LEVELS + brightness) * 3)
    if contrast and early:
        image = image.point(contrasted)
    if saturation or degrees:
        image = _recolour(image, saturation, degrees)
    if contrast and not early:
        image = image.point(contrasted)
    return np.asarray(image)


def _recolour(image: Image.Image, saturation: float, degrees: float) -> Image.Image:
    """Scale the saturation by 1 + `saturation`, and rotate the hue."""
    hue = np.rint(_LEVELS + degrees / 360 * 256) % 256
    tables = _table(hue) + _table(_LEVELS * (1 + saturation)) + _table(_LEVELS)
    return image.convert("HSV").point(tables).convert("RGB")


def _table(values: NDArray[np.float64]) -> list[int]:
    """The values as a lookup table of 256 levels, as Pillow takes it."""
    levels: list[int] = np.clip(np.rint(values), 0, 255).astype(int).tolist()
    return levels
