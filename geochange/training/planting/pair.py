"""Pair: two views of one place with known changes; everything else is unchanged."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from geochange.chip import UNKNOWN, Chip
from geochange.training.planting.camera import Nuisances, photograph
from geochange.training.planting.library import Library, Picture, Place
from geochange.training.planting.outlines import Colours, Mask
from geochange.training.planting.relief import with_relief
from geochange.training.planting.season import greenness, with_season
from geochange.training.planting.things import Ground, PlantedObject, make_planted_object

Label = NDArray[np.uint8]
"""1 = changed, 0 = unchanged, 255 = unknown."""

VISIBLE, VISIBLE_FAR = 14.0, 8.0
"""Of 255: a planted thing whose mean difference is smaller is not labelled as change."""

GREEN_SHARE = 0.6
"""Ground counts as green if at least this share of it is green."""

REVISIT_SHARE_FAR = 0.5
"""The share of two real visits among satellite pairs that `revisits` asks for: there are few of
them.
"""

GROWTH_DEVIATIONS = 1.2
"""In standard deviations. Cities grow between two satellite visits, and nobody labelled it. Where
the visits, matched in light, differ by more, the label is unknown.
"""

UNCHANGED_FAR = 2
"""Satellite pairs without change need this many unchanged halves: a picture shows a whole quarter."""

USUAL, ON_TOP = Nuisances(), Nuisances(0.5, 0.3, 0.7, 0.4)


@dataclass(frozen=True, slots=True)
class Planting:
    """How pairs are made.

    size_px: side of a pair. revisits: share of pairs that are two real visits (REVISIT_SHARE_FAR of those
    that are far). far: share with ten metres a pixel. unchanged: share without any change. things:
    the most changes of a pair, and the most things planted at both dates alike. large: share of
    things that may cover most of the picture. relief: share of near pairs whose dates are seen from
    two sides. season: share of pairs whose meadows are greener or drier at one date.
    nuisances: differences between the dates where one picture serves as both; `again`: those added
    on top of two real visits.
    """

    size_px: int = 128
    revisits: float = 0.5
    far: float = 0.2
    unchanged: float = 0.35
    things: int = 3
    large: float = 0.2
    relief: float = 0.5
    season: float = 0.3
    nuisances: Nuisances = USUAL
    again: Nuisances = ON_TOP


def plant_pair(library: Library, planting: Planting, seed: int) -> Chip:
    """Make a pair. It depends on the arguments alone."""
    draw = np.random.default_rng(seed)
    place, visits, again = choose_place(library, planting, draw)
    views = _views([place.visits[v] for v in visits], planting.size_px, place.far, draw)
    label = np.zeros(views[0].shape[:2], np.uint8)
    if place.far and again:
        label[_growth_mask(views)] = UNKNOWN
    if not place.far and draw.random() < planting.relief:
        date = int(draw.integers(2))
        views[date] = with_relief(views[date], draw)
    if draw.random() < planting.season:
        date = int(draw.integers(2))
        views[date] = with_season(views[date], draw)
    _plant_into(views, label, library, planting, place.far, draw)
    nuisances = planting.again if again else planting.nuisances
    if place.far:
        nuisances = replace(nuisances, place=nuisances.place * 0.6)
    before, after = (photograph(view, nuisances, draw) for view in views)
    return Chip(before, after, np.ones(label.shape, bool), label)


def choose_place(
    library: Library, planting: Planting, draw: np.random.Generator
) -> tuple[Place, tuple[int, int], bool]:
    """The place of a pair, the visits that are its dates, and whether these are two real visits.

    `plant_pair` draws this first. Another kind of place is taken where the library lacks the wanted one.
    """
    far = draw.random() < planting.far
    again = draw.random() < planting.revisits * (REVISIT_SHARE_FAR if far else 1)
    wanted = ((far, again), (far, not again), (not far, True), (not far, False))
    numbers = next(found for kind in wanted if (found := library.of(*kind)))
    place = library.places[numbers[draw.integers(len(numbers))]]
    if again and len(place.visits) > 1:
        one, two = draw.choice(len(place.visits), 2, replace=False).tolist()
        return place, (one, two), True
    one = int(draw.integers(len(place.visits)))
    return place, (one, one), False


def _views(visits: list[Picture], side: int, far: bool, draw: np.random.Generator) -> list[Colours]:
    """The same part of each visit, scaled, rotated and mirrored alike."""
    height, width = visits[0].shape[:2]
    low, high = (0.6, 1.2) if far else (0.55, 2.0)
    size = min(np.exp(draw.uniform(np.log(low), np.log(high))) * side, height, width)
    top, left = draw.uniform(0, 1, 2) * (height - size, width - size)
    box = (left, top, left + size, top + size)
    turns, mirrored = int(draw.integers(4)), draw.random() < 0.5
    return [_view(visit, box, side, turns, mirrored) for visit in visits]


def _view(
    picture: Picture, box: tuple[float, float, float, float], side: int, turns: int, mirrored: bool
) -> Colours:
    image = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC, box)
    turned = np.rot90(np.asarray(image), turns)
    return np.ascontiguousarray(turned[:, ::-1] if mirrored else turned, np.float32)


def _growth_mask(views: list[Colours]) -> Mask:
    """Where two visits differ by more than light and haze explain."""
    apart = np.abs(np.subtract(*(_standardise(view) for view in views))).mean(axis=2)
    return np.asarray(ndimage.gaussian_filter(apart, 1) > GROWTH_DEVIATIONS)


def _standardise(view: Colours) -> Colours:
    """Each band minus its median, in standard deviations of most of the picture."""
    low, middle, high = np.percentile(view, (16, 50, 84), axis=(0, 1))
    return np.asarray((view - middle) / ((high - low) / 2 + 1), np.float32)


def _plant_into(
    views: list[Colours],
    label: Label,
    library: Library,
    planting: Planting,
    far: bool,
    draw: np.random.Generator,
) -> None:
    """Plant things in both views alike, then in one of them, and label what differs by it."""
    suns = [draw.uniform(-1, 1, 2) * draw.uniform(1, 3 if far else 9) for _ in views]
    if draw.random() < 0.5:
        suns[1] = suns[0]

    def ground(host: Colours) -> Ground:
        numbers = library.of(far, draw.random() < 0.5) or library.of(far, True)
        donor = library.places[numbers[draw.integers(len(numbers))]] if numbers else None
        visits = [host.astype(np.uint8)] if donor is None else [donor.visits[0]]
        large = draw.random() < planting.large
        town = None
        if library.towns and not far:
            town = library.towns[draw.integers(len(library.towns))]
        return Ground(host, _views(visits, planting.size_px, far, draw)[0], far, large, town)

    for _ in range(draw.integers(planting.things + 1)):
        thing = make_planted_object(ground(views[draw.integers(2)]), draw)
        for date in (0, 1):
            views[date] = _paste_thing(views[date], thing, suns[date], draw)
    if draw.random() < planting.unchanged ** (UNCHANGED_FAR if far else 1):
        return
    visible = VISIBLE_FAR if far else VISIBLE
    for _ in range(draw.integers(1, planting.things + 1)):
        date = int(draw.integers(2))
        thing = make_planted_object(ground(views[date]), draw)
        after = _paste_thing(views[date], thing, suns[date], draw)
        value = _label_of(thing, views[date], after, visible)
        if value:
            views[date] = after
            label[thing.mask & ((label == 0) | (value == 1))] = value


def _label_of(thing: PlantedObject, before: Colours, after: Colours, visible: float) -> int:
    """The label of a thing where it was planted: 1, 255 if unknown, 0 if it is invisible.

    Green in place of green is unknown: woods are planted and thinned, and meadows are mown. A roof
    of the colour of straw is a change.
    """
    if not thing.mask.any():
        return 0
    green = (greenness(each)[thing.mask].mean() > GREEN_SHARE for each in (before, after))
    if thing.houses is None and all(green):
        return UNKNOWN
    return int(np.abs(after - before).mean(axis=2)[thing.mask].mean() >= visible)


def _paste_thing(
    view: Colours, thing: PlantedObject, sun: NDArray[np.float64], draw: np.random.Generator
) -> Colours:
    """The view with a thing in it and its shadow; its edge is as soft as the picture."""
    alpha = ndimage.gaussian_filter(thing.mask.astype(np.float32), thing.soft_px)
    if thing.soft_px > 0.6:
        alpha = np.minimum(alpha * 1.2, 1)
    mixed = view + alpha[..., None] * (thing.colours * np.exp(draw.normal(0, 0.04)) - view)
    if thing.houses is not None:
        shade = ndimage.gaussian_filter(thing.houses.shadow(sun).astype(np.float32), 0.5)
        mixed = mixed * (1 - draw.uniform(0.3, 0.65) * shade[..., None])
    return np.asarray(np.clip(mixed, 0, 255), np.float32)
