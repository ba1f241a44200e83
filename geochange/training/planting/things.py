"""Things that are planted: a mask and its colours."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy import ndimage

from geochange.training.planting.houses import Houses, build_houses
from geochange.training.planting.labelled_buildings import LabelledTown, buildings_of
from geochange.training.planting.outlines import Colours, Mask, anywhere, flood, road, waves

SHARE, SHARE_FAR = (0.002, 0.12), (0.001, 0.03)
LARGE, LARGE_FAR = (0.12, 0.9), (0.03, 0.4)
"""The least and the largest share of the picture that one large thing covers, near and far."""

LABELLED_BUILDING_SHARE = 0.35
"""Of the things planted near by, those that are labelled buildings, where there are any."""

MID_GREY, GREY_SPREAD = 128.0, 55.0
"""Mean of the colours of made-up things, and their range to either side."""


@dataclass(frozen=True, slots=True)
class PlantedObject:
    """A thing to plant.

    mask: its pixels. colours: their colours. houses: those of it that cast a shadow. soft_px:
    standard deviation of its edge.
    """

    mask: Mask
    colours: Colours
    houses: Houses | None = None
    soft_px: float = 0.5


@dataclass(frozen=True, slots=True)
class Ground:
    """The view to plant into and another picture to take from, both (side, side, 3) 0-255.

    large: whether a thing may cover most of it: whole quarters change, and most of such a change is
    far from its seam. town: labelled buildings to plant, where there are any.
    """

    host: Colours
    donor: Colours
    far: bool
    large: bool = False
    town: LabelledTown | None = None

    @property
    def share(self) -> tuple[float, float]:
        """The least and the largest share that a thing may cover."""
        if self.large:
            return LARGE_FAR if self.far else LARGE
        return SHARE_FAR if self.far else SHARE


def make_planted_object(ground: Ground, draw: np.random.Generator) -> PlantedObject:
    """A thing of a random kind."""
    if ground.town is not None and draw.random() < LABELLED_BUILDING_SHARE:
        houses = buildings_of(ground.town, len(ground.host), draw)
        if houses is not None:
            return _blended(_among_buildings(houses, ground, draw), ground, draw)
    kinds = [_houses, _estate, _copied_shape, _texture, _field, _strip, _cleared_ground]
    chances = np.array([0.34, 0.14, 0.12, 0.14, 0.1, 0.06, 0.1])
    if ground.far:
        chances = np.array([0.4, 0.25, 0.05, 0.15, 0.0, 0.1, 0.05])
    kind = kinds[draw.choice(len(kinds), p=chances)]
    return _blended(kind(ground, draw), ground, draw)


def _blended(thing: PlantedObject, ground: Ground, draw: np.random.Generator) -> PlantedObject:
    """The thing in the light of its surroundings, with an edge as soft as theirs.

    In satellite pictures nothing is as bright, and no edge as sharp, as a painted one, and the air
    tints everything. In aerial pictures a roof on a meadow is not green.
    """
    if not ground.far and draw.random() < 0.5:
        return thing
    host = ground.host.reshape(-1, 3)
    light = host if ground.far else host.mean(axis=1, keepdims=True)
    spread = (thing.colours - MID_GREY) / GREY_SPREAD
    muted = spread * (light.std(axis=0) + 6) + light.mean(axis=0)
    colours = thing.colours + draw.uniform(0, 1) * (muted - thing.colours)
    soft_px = max(thing.soft_px, draw.uniform(0.4, 1.2))
    return replace(thing, colours=colours.astype(np.float32), soft_px=soft_px)


def _among_buildings(houses: Houses, ground: Ground, draw: np.random.Generator) -> PlantedObject:
    """Labelled buildings, as often as not on ground that was bared for them."""
    if draw.random() < 0.5:
        return PlantedObject(houses.mask, houses.colours, houses)
    margin = int(draw.integers(1, 9))
    yard = ndimage.binary_dilation(houses.mask, iterations=margin)
    colours = np.where(houses.mask[..., None], houses.colours, _soil(ground, draw))
    return PlantedObject(yard, colours, houses, draw.uniform(0.4, 1.2))


def _houses(ground: Ground, draw: np.random.Generator) -> PlantedObject:
    houses = build_houses(len(ground.host), ground.far, draw)
    return PlantedObject(houses.mask, houses.colours, houses)


def _estate(ground: Ground, draw: np.random.Generator) -> PlantedObject:
    """Houses and the bare ground around them."""
    houses = build_houses(len(ground.host), ground.far, draw)
    margin = int(draw.integers(1, 3 if ground.far else 9))
    yard = ndimage.binary_closing(np.pad(houses.mask, margin), iterations=margin)
    yard = ndimage.binary_dilation(yard, iterations=margin)[margin:-margin, margin:-margin]
    colours = np.where(houses.mask[..., None], houses.colours, _soil(ground, draw))
    return PlantedObject(yard, colours, houses, draw.uniform(0.4, 1.2))


def _copied_shape(ground: Ground, draw: np.random.Generator) -> PlantedObject:
    """A thing of another picture, cut along one of its own outlines."""
    mask = flood(ground.donor, ground.share, draw)
    if mask is None:
        return _texture(ground, draw)
    return PlantedObject(mask, _match_colours(ground, draw), None, draw.uniform(0.3, 0.9))


def _texture(ground: Ground, draw: np.random.Generator) -> PlantedObject:
    """The texture of another picture within an outline of this one."""
    mask = anywhere(ground.host, ground.share, draw)
    return PlantedObject(mask, _match_colours(ground, draw), None, draw.uniform(0.4, 1.5))


def _field(ground: Ground, draw: np.random.Generator) -> PlantedObject:
    """The same ground ploughed or bare: less texture, and the colour of soil."""
    mask = anywhere(ground.host, (0.01, 0.25), draw)
    own = ground.host[mask].mean(axis=0) if mask.any() else ground.host.mean(axis=(0, 1))
    furrows = draw.uniform(0, 10) * waves(len(mask), draw.uniform(4, 20), draw)
    faint = (ground.host - own) * draw.uniform(0.1, 0.6)
    colours = faint + _soil(ground, draw) + furrows[..., None]
    return PlantedObject(mask, colours.astype(np.float32), None, draw.uniform(0.4, 1.5))


def _strip(ground: Ground, draw: np.random.Generator) -> PlantedObject:
    """A road or a track."""
    return PlantedObject(
        road(len(ground.host), draw), _soil(ground, draw), None, draw.uniform(0.4, 1)
    )


def _cleared_ground(ground: Ground, draw: np.random.Generator) -> PlantedObject:
    """A cleared thing: the ground beside it covers its place."""
    mask = anywhere(ground.host, ground.share, draw)
    by = draw.choice([-1, 1], 2) * draw.integers(len(mask) // 6, len(mask) // 2, 2)
    elsewhere = np.roll(ground.host, tuple(by), (0, 1))
    if draw.random() < 0.5:
        mixed = ndimage.uniform_filter(elsewhere, (9, 9, 0))
        elsewhere = mixed + draw.normal(0, 4, mask.shape)[..., None].astype(np.float32)
    return PlantedObject(mask, elsewhere.astype(np.float32), None, draw.uniform(0.5, 1.5))


def _soil(ground: Ground, draw: np.random.Generator) -> Colours:
    """Uneven sand, clay, gravel or asphalt."""
    light = draw.uniform(70, 215)
    warm = np.array([draw.uniform(0, 0.12), 0.0, -draw.uniform(0, 0.2)]) * (draw.random() < 0.7)
    side = len(ground.host)
    uneven = 1 + draw.uniform(0.02, 0.1) * waves(side, draw.uniform(5, 40), draw)
    grain = draw.uniform(0, 5) * draw.standard_normal((side, side))
    colours: Colours = ((light * uneven + grain)[..., None] * (1 + warm)).astype(np.float32)
    return colours


def _match_colours(ground: Ground, draw: np.random.Generator) -> Colours:
    """The donor's colours, partly matched to the light of the host."""
    weight = draw.uniform(0, 0.8)
    host, donor = ground.host.reshape(-1, 3), ground.donor.reshape(-1, 3)
    scale = (host.std(axis=0) + 5) / (donor.std(axis=0) + 5)
    adapted = (ground.donor - donor.mean(axis=0)) * scale + host.mean(axis=0)
    return np.asarray(ground.donor + weight * (adapted - ground.donor), np.float32)
