"""Village: streets, houses with their gardens, the new estate and the farm of the plan."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from geochange.landscape.plan.countryside import MAIN_HALF_PX, add_ride
from geochange.landscape.plan.draft import Draft, LandSquare
from geochange.landscape.plan.farm import add_farm
from geochange.landscape.plan.house import add_church, add_house
from geochange.landscape.plan.plan_objects import Plot, Road, Stands
from geochange.landscape.shapes import Box, Points, densify

STREET = (140, 138, 136)
FRESH_ASPHALT = (74, 74, 82)
STREET_HALF_PX = 4.5
LANES = ((0.485, -0.17), (0.575, -0.12), (0.665, -0.10), (0.40, -0.09), (0.38, 0.09), (0.465, 0.13))
"""Where a lane leaves the main road and how far it goes, in shares of the parish, up negative."""
MAIN_SETBACK_PX = 14.0
CHURCH_SHARE = 0.622
PLOT_DEPTH_PX = 54
FRONTAGE_PX = 39


def add_village(draft: Draft, parish: LandSquare, main_path: Points) -> None:
    """Lay the streets of a parish, the new ones first, and line them with houses."""
    span_px = parish.span_px
    new_length_px = float(np.clip(0.19 * span_px, 146, 212))
    estate = street(parish, main_path, 0.55, new_length_px, Stands.NEW)
    lanes = [
        street(parish, main_path, share, reach * span_px, Stands.ALWAYS)
        for share, reach in (LANES if span_px > 1000 else LANES[:1])
    ]
    for road in (estate, *lanes):
        draft.add_road(road)
    add_estate(draft, parish, estate)
    add_farm(draft, parish, main_path)
    add_ride(draft, parish, main_path)
    add_parish_church(draft, parish, main_path)
    for number, road in enumerate(lanes):
        add_street_houses(draft, parish, road, one_goes=number == 0)
    share = (main_path[:, 1] - parish.col) / span_px
    built_up = main_path[(share > 0.34) & (share < 0.76)]
    add_street_houses(draft, parish, Road(built_up, MAIN_HALF_PX, STREET))


def add_parish_church(draft: Draft, parish: LandSquare, main_path: Points) -> None:
    """A church above the main road, between two lanes, where the land has room for one."""
    col = parish.col + CHURCH_SHARE * parish.span_px
    row = float(np.interp(col, main_path[:, 1], main_path[:, 0])) - 46
    yard = Box(row, col, 0.0, 34.0, 27.0)
    if draft.claim(yard.outline()):
        add_church(draft, Plot(yard, 1, lawn=(112, 132, 82)))


def street(
    parish: LandSquare, main_path: Points, share: float, length_px: float, stands: Stands
) -> Road:
    """A street leaving the main road at a share of the parish, down or (negative) up."""
    col = parish.col + share * parish.span_px
    row = np.interp(col, main_path[:, 1], main_path[:, 0])
    travelled = np.linspace(0, 1, 30)
    lean, bend = parish.rng.uniform(-0.05, 0.05), parish.rng.uniform(-0.05, 0.05)
    rows = row + length_px * travelled
    cols = col + length_px * (lean * travelled + bend * np.sin(np.pi * travelled))
    colour = FRESH_ASPHALT if stands is Stands.NEW else STREET
    return Road(np.stack([rows, cols], axis=1), STREET_HALF_PX, colour, stands=stands)


def plots_along(road: Road, first_px: float, frontage_px: float) -> Iterator[tuple[Box, int]]:
    """Plots on both sides of a road, each with the side of it on which the street lies."""
    track = densify(road.path, 1.0)
    ahead = np.gradient(track, axis=0)
    for station in np.arange(first_px + frontage_px / 2, len(track) - frontage_px / 2, frontage_px):
        spot, (down, right) = track[int(station)], ahead[int(station)]
        angle_rad = float(np.arctan2(down, right))
        street_edge = Box(float(spot[0]), float(spot[1]), angle_rad, 1.0, 1.0)
        for side in (-1, 1):
            offset_px = side * (road.half_width_px + 3 + PLOT_DEPTH_PX / 2)
            half_sides_px = (frontage_px / 2 - 1, PLOT_DEPTH_PX / 2)
            yield street_edge.inner(0, offset_px, half_sides_px), -side


def add_estate(draft: Draft, parish: LandSquare, road: Road) -> None:
    """New houses on building land that was already staked out at the first date."""
    for box, street_side in plots_along(road, first_px=MAIN_SETBACK_PX + 3, frontage_px=42):
        if draft.claim(box.outline(grow_px=-2)):
            plot = Plot(box, street_side, lawn=(128, 140, 86), rough=True)
            add_house(draft, plot, parish.rng, Stands.NEW)


def add_street_houses(draft: Draft, parish: LandSquare, road: Road, one_goes: bool = False) -> None:
    """Old houses wherever there is room; one_goes: the first of them is demolished."""
    rng = parish.rng
    for box, street_side in plots_along(road, MAIN_SETBACK_PX, FRONTAGE_PX + rng.uniform(-3, 5)):
        if not draft.claim(box.outline(grow_px=-2)):
            continue
        green = rng.uniform(-9, 9, 3)
        lawn = (118 + green[0], 138 + green[1], 82 + green[2])
        stands = Stands.GONE if one_goes else Stands.ALWAYS
        one_goes = False
        add_house(draft, Plot(box, street_side, lawn), rng, stands)
