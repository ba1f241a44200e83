"""LandSquare and Draft: a square of land to fill, and the list of what it holds so far."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from shapely import Polygon

from geochange.landscape.plan.plan_objects import Building, Plot, Pond, Road, Slab, Wood
from geochange.landscape.shapes import ribbon


@dataclass(frozen=True, slots=True)
class LandSquare:
    """One square of the land: its first (row, col), its side in px and its own randomness."""

    row: float
    col: float
    span_px: float
    rng: np.random.Generator

    def place(self, row_share: float, col_share: float) -> tuple[float, float]:
        """(row, col) in px of a place given in shares of the parish."""
        return self.row + row_share * self.span_px, self.col + col_share * self.span_px


@dataclass(slots=True)
class Draft:
    """A plan being filled; whatever claims its ground keeps later things off it."""

    roads: list[Road] = field(default_factory=list)
    ponds: list[Pond] = field(default_factory=list)
    woods: list[Wood] = field(default_factory=list)
    plots: list[Plot] = field(default_factory=list)
    slabs: list[Slab] = field(default_factory=list)
    buildings: list[Building] = field(default_factory=list)
    claims: list[Polygon] = field(default_factory=list)

    def claim(self, outline: Polygon) -> bool:
        """Take this ground unless some of it is taken; say whether it was free."""
        if any(outline.intersects(taken) for taken in self.claims):
            return False
        self.claims.append(outline)
        return True

    def add_road(self, road: Road) -> None:
        """Add a road and keep its ground; roads may meet, so they ask no leave."""
        self.roads.append(road)
        self.claims.append(ribbon(road.path, road.half_width_px + 2))
