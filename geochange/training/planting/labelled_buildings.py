"""Labelled buildings: real buildings and real towns to plant, from labelled images.

A folder labelled/SET holds images/ and labels/ (1 = building), and may hold footprints/: masks
without images, whose values above 0 are buildings.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from geochange.errors import InputError
from geochange.training.data.picture_file import open_picture
from geochange.training.data.zoom_ranges import zooms_of
from geochange.training.planting.houses import ROOFS, Houses
from geochange.training.planting.outlines import Colours

BUILDING = 1
HELD_OUT_EVERY = 5
"""Every fifth image of a set is kept out of training."""

LEAST_SHARE = 0.01
"""The least share of buildings in a labelled image from which buildings are cut."""

LARGEST_SHARE = 0.5
"""The largest share of an image that planted buildings may cover."""

MAX_ZOOM_SHARE = 0.5
"""The largest zoom, as a share of the usual maximum, so that whole houses are planted."""


@dataclass(frozen=True)
class LabelledTown:
    """A labelled picture, or a layout alone. picture: (height, width, 3) RGB; None for a layout."""

    mask: NDArray[np.uint8]
    picture: NDArray[np.uint8] | None
    zooms: tuple[float, float]


def read_towns(folder: Path, *, kept_out: bool) -> tuple[LabelledTown, ...]:
    """The labelled buildings and the layouts that are planted, or those kept out.

    Raises InputError where one cannot be read.
    """
    towns = []
    for place in sorted(folder.glob("*/")):
        for i, file in enumerate(sorted((place / "labels").glob("*.png"))):
            if (i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == kept_out:
                towns += _town(file, place)
        for i, file in enumerate(sorted((place / "footprints").glob("*.png"))):
            if (i % HELD_OUT_EVERY == HELD_OUT_EVERY - 1) == kept_out:
                mask = (_read(file, "L") > 0).astype(np.uint8)
                towns.append(LabelledTown(mask, None, zooms_of(place.name)))
    return tuple(towns)


def _town(label: Path, place: Path) -> list[LabelledTown]:
    mask = (_read(label, "L") == BUILDING).astype(np.uint8)
    if mask.mean() < LEAST_SHARE:
        return []
    files = sorted((place / "images").glob(f"{label.stem}.*"))
    if not files:
        raise InputError(f"{label} has no picture in {place / 'images'}; remove the label")
    return [LabelledTown(mask, _read(files[0], "RGB"), zooms_of(place.name))]


def _read(file: Path, mode: str) -> NDArray[np.uint8]:
    return np.asarray(open_picture(file, mode))


def buildings_of(town: LabelledTown, side: int, draw: np.random.Generator) -> Houses | None:
    """Some buildings of a part of a town, in their true positions; None if that part has none."""
    box = _box(town, side, draw)
    whole = _part(town.mask, box, side, Image.Resampling.NEAREST) > 0
    pieces, count = ndimage.label(whole)
    if not count:
        return None
    # A single one, a few, or nearly all of them.
    share = draw.choice([1 / count, 0.3, 0.9])
    chosen = draw.random(count + 1) < share
    chosen[1 + draw.integers(count)] = True
    chosen[0] = False
    mask = chosen[pieces]
    if mask.mean() > LARGEST_SHARE:
        return None
    if town.picture is None:
        return Houses(mask, _coloured_roofs(pieces, count, draw))
    colours = _part(town.picture, box, side, Image.Resampling.BILINEAR)
    return Houses(mask, colours.astype(np.float32))


def _box(
    town: LabelledTown, side: int, draw: np.random.Generator
) -> tuple[float, float, float, float]:
    height, width = town.mask.shape
    low, high = town.zooms
    zoom = np.exp(draw.uniform(np.log(low), np.log(max(low, high * MAX_ZOOM_SHARE))))
    size = min(side / zoom, height, width)
    top, left = draw.uniform(0, 1, 2) * (height - size, width - size)
    return left, top, left + size, top + size


def _part(
    picture: NDArray[np.uint8],
    box: tuple[float, float, float, float],
    side: int,
    how: Image.Resampling,
) -> NDArray[np.uint8]:
    return np.asarray(Image.fromarray(picture).resize((side, side), how, box))


def _coloured_roofs(pieces: NDArray[np.int32], count: int, draw: np.random.Generator) -> Colours:
    """Each piece gets its own roof, whose two sides are lit differently."""
    chances = np.array([chance for _, chance in ROOFS])
    kinds = draw.choice(len(ROOFS), count + 1, p=chances / chances.sum())
    roofs = np.array([colour for colour, _ in ROOFS], np.float64)[kinds]
    roofs = roofs * np.exp(draw.normal(0, 0.12, (count + 1, 1))) + draw.normal(0, 6, roofs.shape)
    middle = np.array([(0, 0), *ndimage.center_of_mass(pieces > 0, pieces, range(1, count + 1))])
    rows, cols = np.indices(pieces.shape)
    angle = draw.uniform(0, np.pi)
    away = (rows - middle[pieces, 0]) * np.sin(angle) + (cols - middle[pieces, 1]) * np.cos(angle)
    lit = 1 + draw.uniform(0, 0.22) * np.sign(away)
    rough = 1 + draw.uniform(0.01, 0.06) * draw.standard_normal(pieces.shape)
    return np.asarray(roofs[pieces] * (lit * rough)[..., None], np.float32)
