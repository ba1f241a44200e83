"""Land pictures: images of one date with land cover labels by pixel, for the land head.

A folder of sets holds SET/images/NAME.jpg and SET/labels/NAME.png. A label is 1 building, 2 road,
3 vegetation, 4 water, 5 other land; 0 is none of the classes that its set labels, 255 unknown. The
classes that occur in the labels of a set are those that it labels. If a set labels only buildings, 0
is any other class. Scenes (see `geochange.training.data.scenes`) exclude some classes for whole
images. Every fifth image of a set is kept out of training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import Dataset

from geochange.errors import InputError
from geochange.land_cover import CLASSES
from geochange.training.data.picture_file import open_picture
from geochange.training.data.sampler import seed_of_sample
from geochange.training.data.scenes import HELD_OUT_EVERY
from geochange.training.data.zoom_ranges import zooms_of
from geochange.training.planting.camera import Nuisances, photograph

Picture = NDArray[np.uint8]
"""(height, width, 3) RGB."""

AllowedClasses = NDArray[np.uint8]
"""(height, width): bit i is set where a pixel may be of class i; 0 where nothing is known."""

UNKNOWN, NONE_OF_THEM = 255, 0
ANY_CLASS = (1 << len(CLASSES)) - 1
SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")
_TOO_FEW = (
    f"holds no SET/images and SET/labels of {HELD_OUT_EVERY} pictures or more; see "
    "docs/default-network.md"
)
ATTEMPTS = 6
"""The number of crops that are tried, before a crop with few known pixels is used."""

SET_WEIGHTS: Mapping[str, float] = {
    "accra": 0.6,
    "austin": 2.0,
    "banepa": 1.3,
    "massachusetts_buildings": 2.0,
    "massachusetts_roads": 0.8,
    "ucm": 0.8,
}
"""How often a set is used, if not once: more often for sets with the best outlines."""

SCENE_CLASSES: Mapping[str, tuple[str, ...]] = {
    "agricultural": ("vegetation", "other land"),
    "baseballdiamond": ("road", "vegetation", "other land"),
    "beach": ("vegetation", "water", "other land"),
    "chaparral": ("vegetation", "other land"),
    "forest": ("vegetation",),
    "freeway": ("road", "vegetation", "other land"),
    "golfcourse": ("road", "vegetation", "water", "other land"),
    "harbor": ("road", "water", "other land"),
    "overpass": ("road", "vegetation", "other land"),
    "parkinglot": ("road", "vegetation", "other land"),
    "river": ("vegetation", "water", "other land"),
    "runway": ("road", "vegetation", "other land"),
}
"""The classes that the pixels of a scene may have. Scenes of other classes are not used."""


@dataclass(frozen=True)
class LandSet:
    """Images of one kind. allowed: for each image. share: how often it is used."""

    name: str
    pictures: Sequence[Picture]
    allowed: Sequence[AllowedClasses]
    share: float = 1.0

    @property
    def zooms(self) -> tuple[float, float]:
        """The smallest and the largest zoom factor of its images."""
        return zooms_of(self.name)


@dataclass(frozen=True)
class LandPictures:
    """All sets of a folder."""

    sets: tuple[LandSet, ...]

    @cached_property
    def chances(self) -> NDArray[np.float64]:
        """The probability of each set."""
        shares = np.array([each.share for each in self.sets])
        return np.asarray(shares / shares.sum())

    def crop(self, side_px: int, seed: int) -> tuple[Picture, AllowedClasses]:
        """A part of an image, rotated, scaled and recoloured. It depends only on the arguments."""
        draw = np.random.default_rng(seed)
        chosen = self.sets[draw.choice(len(self.sets), p=self.chances)]
        number = int(draw.integers(len(chosen.pictures)))
        picture, allowed = chosen.pictures[number], chosen.allowed[number]
        for _ in range(ATTEMPTS):
            box = _box(allowed.shape, side_px, chosen.zooms, draw)
            rows, cols = slice(int(box[1]), int(box[3])), slice(int(box[0]), int(box[2]))
            if (allowed[rows, cols] > 0).mean() > 0.5:
                break
        return _resampled_crop(picture, allowed, box, side_px, draw)


@dataclass(frozen=True, slots=True)
class LandBatch:
    """A batch of crops for training.

    pictures: (batch, 3, side, side) uint8. labels: (batch, side, side), see `AllowedClasses`.
    """

    pictures: torch.Tensor
    labels: torch.Tensor

    @property
    def inputs(self) -> tuple[torch.Tensor, ...]:
        """The arguments of a TrainableLand."""
        return (self.pictures,)

    @property
    def known(self) -> int:
        """The number of pixels about which something is known."""
        return int((self.labels > 0).sum())


class LandCrops(Dataset[tuple[Picture, AllowedClasses]]):
    """Crops of pictures, by the number of the sample."""

    def __init__(self, pictures: LandPictures, side_px: int, seed: int) -> None:
        self.pictures, self.side_px, self.seed = pictures, side_px, seed

    def __getitem__(self, sample: int) -> tuple[Picture, AllowedClasses]:
        return self.pictures.crop(self.side_px, seed_of_sample(sample, self.seed))


def collate_land(crops: Sequence[tuple[Picture, AllowedClasses]]) -> LandBatch:
    """Stack crops of one size."""
    pictures, allowed = (np.stack(every) for every in zip(*crops, strict=True))
    return LandBatch(torch.from_numpy(pictures).permute(0, 3, 1, 2), torch.from_numpy(allowed))


Box = tuple[float, float, float, float]


def _box(
    shape: tuple[int, ...], side: int, zooms: tuple[float, float], draw: np.random.Generator
) -> Box:
    """Left, top, right, bottom of a square."""
    zoom = np.exp(draw.uniform(*np.log(zooms)))
    size = min(side / zoom, *shape)
    top, left = draw.uniform(0, 1, 2) * (shape[0] - size, shape[1] - size)
    return left, top, left + size, top + size


def _resampled_crop(
    picture: Picture, allowed: AllowedClasses, box: Box, side: int, draw: np.random.Generator
) -> tuple[Picture, AllowedClasses]:
    size = (side, side)
    image = Image.fromarray(picture).resize(size, Image.Resampling.BILINEAR, box)
    label = Image.fromarray(allowed).resize(size, Image.Resampling.NEAREST, box)
    if draw.random() < 0.4:
        angle = draw.uniform(-45, 45)
        image = image.rotate(angle, Image.Resampling.BILINEAR)
        label = label.rotate(angle, Image.Resampling.NEAREST, fillcolor=0)
    turns, mirrored = int(draw.integers(4)), draw.random() < 0.5
    pair = [np.rot90(np.asarray(each), turns) for each in (image, label)]
    colours, bits = (each[:, ::-1] if mirrored else each for each in pair)
    there = replace(Nuisances(), light=1.3, place=0.0)
    seen = photograph(np.ascontiguousarray(colours, np.float32), there, draw)
    return seen, np.ascontiguousarray(bits)


def read_land(folder: Path, scenes: Path | None, *, kept_out: bool) -> LandPictures:
    """The images of all sets of a folder for training, or the held-out ones.

    scenes: a folder of scenes; those of SCENE_CLASSES are added. Raises InputError if there is no
    labelled image, or one cannot be read.
    """
    sets = [_read_set(each, kept_out) for each in sorted(folder.glob("*/labels"))]
    sets = [each for each in sets if each.pictures]
    if not sets:
        raise InputError(f"{folder}: {_TOO_FEW}")
    if scenes is not None:
        sets += [each for each in [_read_scenes(scenes, kept_out)] if each.pictures]
    return LandPictures(tuple(sets))


def check_land(folder: Path) -> None:
    """Refuse a folder with too few labelled images, without reading them. Raises InputError."""
    if not any(len(list(each.glob("*.png"))) >= HELD_OUT_EVERY for each in folder.glob("*/labels")):
        raise InputError(f"{folder}: {_TOO_FEW}")


def _read_set(labels: Path, kept_out: bool) -> LandSet:
    files = sorted(labels.glob("*.png"))
    values = {file: _read(file, "L") for file in files}
    present = sorted({v for label in values.values() for v in np.unique(label).tolist()})
    if wrong := [v for v in present if v > len(CLASSES) and v != UNKNOWN]:
        raise InputError(
            f"{labels}: holds the value {wrong[0]}; labels are 0 to {len(CLASSES)}, or 255 = unknown"
        )
    told = _allowed_of_classes(present)
    chosen = [
        f for i, f in enumerate(files) if (i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == kept_out
    ]
    pictures = [_read(_image(file), "RGB") for file in chosen]
    name = labels.parent.name
    for file, picture in zip(chosen, pictures, strict=True):
        if picture.shape[:2] != values[file].shape:
            raise InputError(f"{file} has another size than its image; make both the same size")
    return LandSet(
        name, pictures, [told[values[file]] for file in chosen], SET_WEIGHTS.get(name, 1.0)
    )


def _allowed_of_classes(present: Sequence[int]) -> NDArray[np.uint8]:
    """For each of the 256 label values of a set, the classes that it allows, as bits."""
    labelled = sum(1 << (v - 1) for v in present if 1 <= v <= len(CLASSES))
    table = np.zeros(256, np.uint8)
    for value in range(1, len(CLASSES) + 1):
        table[value] = 1 << (value - 1)
    table[NONE_OF_THEM] = ANY_CLASS & ~labelled
    return table


def _image(label: Path) -> Path:
    folder = label.parents[1] / "images"
    found = [file for s in SUFFIXES if (file := folder / (label.stem + s)).is_file()]
    if not found:
        raise InputError(f"{label} has no picture in {folder}; add it, or remove the label")
    return found[0]


def _read_scenes(folder: Path, kept_out: bool) -> LandSet:
    pictures, allowed = [], []
    for scene, classes in SCENE_CLASSES.items():
        bits = sum(1 << CLASSES.index(name) for name in classes)
        files = sorted(f for f in (folder / scene).glob("*") if f.suffix.lower() in SUFFIXES)
        for i, file in enumerate(files):
            if (i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == kept_out:
                pictures.append(_read(file, "RGB"))
                allowed.append(np.full(pictures[-1].shape[:2], bits, np.uint8))
    return LandSet("ucm", pictures, allowed, SET_WEIGHTS["ucm"])


def _read(file: Path, mode: str) -> NDArray[np.uint8]:
    return np.asarray(open_picture(file, mode))
