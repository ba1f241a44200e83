"""What stands in the landscape: plain values, placed in (row, col) pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from shapely import Polygon

from geochange.landscape.render.canvas import Colour
from geochange.landscape.shapes import Box, Points


class Stands(Enum):
    """At which of the two dates a thing is there: (before, after)."""

    ALWAYS = (True, True)
    NEW = (False, True)
    GONE = (True, False)

    def at(self, autumn: float) -> bool:
        """Whether it is there in early summer (0) or early autumn (1)."""
        return self.value[int(autumn >= 0.5)]


@dataclass(frozen=True, slots=True)
class Building:
    """A house or hall; the box's long axis is the ridge. Heights in px, slope in px per px."""

    box: Box
    eaves_px: float
    slope: float
    hipped: bool
    roof: Colour
    chimney: bool = False
    ribs_px: float = 0.0
    stands: Stands = Stands.ALWAYS


@dataclass(frozen=True, slots=True)
class Road:
    """A path of constant width; marked is a main road with painted lines."""

    path: Points
    half_width_px: float
    surface: Colour
    marked: bool = False
    rutted: bool = False
    stands: Stands = Stands.ALWAYS


@dataclass(frozen=True, slots=True)
class Plot:
    """A garden: lawn, or rough building land; the box's long axis follows the street.

    street: +1 where the street lies on the box's positive across side, else -1.
    """

    box: Box
    street: int
    lawn: Colour
    rough: bool = False


@dataclass(frozen=True, slots=True)
class Slab:
    """A flat or low rectangle of one colour: driveway, terrace, yard, bed, pool, shed, car."""

    box: Box
    colour: Colour
    height_px: float = 0.0
    glazed: bool = False


@dataclass(frozen=True, slots=True)
class Pond:
    """Still water; a drained one is mud in the after picture."""

    outline: Polygon
    drained: bool


@dataclass(frozen=True, slots=True)
class Wood:
    """A forest and, where some of it is felled between the dates, that clearing."""

    outline: Polygon
    clearing: Polygon | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything placed in a square picture of size_px."""

    size_px: int
    seed: int
    roads: tuple[Road, ...]
    rivers: tuple[Points, ...]
    ponds: tuple[Pond, ...]
    woods: tuple[Wood, ...]
    plots: tuple[Plot, ...]
    slabs: tuple[Slab, ...]
    buildings: tuple[Building, ...]

    def stream(self, number: int) -> np.random.Generator:
        """The random stream of one painter, the same at both dates."""
        return np.random.default_rng([self.seed, number])
