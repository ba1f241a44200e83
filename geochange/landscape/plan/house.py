"""House: one dwelling of the plan, with its drive, terrace, beds, shed and car."""

from __future__ import annotations

import numpy as np

from geochange.landscape.plan.draft import Draft
from geochange.landscape.plan.plan_objects import Building, Plot, Slab, Stands
from geochange.landscape.render.canvas import Colour
from geochange.landscape.shapes import Box

ROOFS: tuple[Colour, ...] = (
    (166, 96, 74),
    (152, 86, 68),
    (174, 112, 86),
    (140, 90, 74),
    (122, 98, 86),
    (134, 108, 92),
    (92, 94, 102),
    (112, 114, 120),
)
SLATE = (96, 100, 108)
COPPER = (122, 148, 132)
NEW_ROOFS: tuple[Colour, ...] = ((178, 78, 56), (56, 60, 72), (160, 66, 52), (226, 222, 216))
PAVING: tuple[Colour, ...] = ((176, 170, 160), (160, 154, 148), (188, 176, 156))
CARS: tuple[Colour, ...] = (
    (226, 228, 230),
    (60, 62, 66),
    (150, 30, 30),
    (52, 74, 120),
    (160, 164, 168),
    (30, 32, 34),
)
GARDEN: tuple[tuple[float, float, float, tuple[tuple[tuple[float, float], Colour], ...]], ...] = (
    # chance, place along, inset from the back, half sides and colour of each layer; in px
    (0.80, 3.0, 30.0, (((6.0, 3.5), (186, 170, 152)),)),  # terrace
    (0.45, -10.0, 9.0, (((5.5, 4.5), (116, 98, 72)),)),  # vegetables
    (0.16, 9.0, 16.0, (((6.5, 3.5), (214, 210, 200)), ((5.2, 2.4), (92, 178, 196)))),  # pool
)


def add_house(draft: Draft, plot: Plot, rng: np.random.Generator, stands: Stands) -> None:
    """A house near the street side of its plot, and what belongs to it."""
    box, street = plot.box, plot.street
    half_along_px, half_across_px = rng.uniform(11, 14), rng.uniform(8.5, 10.5)
    gable_on = rng.random() < 0.3
    across_px = street * (box.half_across_px - rng.uniform(9, 13) - half_across_px)
    along_px = rng.uniform(-3, 3)
    house = box.inner(along_px, across_px, (half_along_px, half_across_px))
    if gable_on:
        house = Box(
            house.row, house.col, house.angle_rad + np.pi / 2, half_along_px, half_across_px
        )
    draft.plots.append(plot)
    draft.buildings.append(dwelling(house, rng, stands))
    if stands is Stands.NEW:
        return
    add_wing(draft, house, rng, stands)
    add_drive(draft, plot, along_px + rng.choice([-1, 1]) * (half_along_px + 4), rng)
    add_garden(draft, plot, rng)


def add_church(draft: Draft, plot: Plot) -> None:
    """A slate nave beside its copper-roofed tower, a gravel path and a churchyard."""
    box = plot.box
    nave = box.inner(0, 0, (17, 7.5))
    tower = box.inner(-18, 0, (5.5, 5.5))
    draft.plots.append(plot)
    draft.slabs.append(Slab(box.inner(-22, plot.street * 14, (2, 16)), PAVING[2]))
    draft.buildings.append(Building(nave, 14.0, 1.0, False, SLATE))
    draft.buildings.append(Building(tower, 38.0, 2.2, True, COPPER))


def dwelling(box: Box, rng: np.random.Generator, stands: Stands) -> Building:
    """A house with a pitched roof over a box."""
    roofs = NEW_ROOFS if stands is Stands.NEW else ROOFS
    return Building(
        box=box,
        eaves_px=rng.uniform(8, 11),
        slope=rng.uniform(0.55, 0.85),
        hipped=rng.random() < 0.25,
        roof=roofs[rng.integers(len(roofs))],
        chimney=rng.random() < 0.75,
        stands=stands,
    )


def add_wing(draft: Draft, house: Box, rng: np.random.Generator, stands: Stands) -> None:
    """Now and then a lower wing at right angles, in the house's own roof colour."""
    if stands is not Stands.ALWAYS or rng.random() > 0.4:
        return
    row, col = house.at(rng.choice([-1, 1]) * house.half_along_px * 0.55, house.half_across_px)
    wing = Box(row, col, house.angle_rad + np.pi / 2, 9.0, 5.5)
    roof = draft.buildings[-1].roof
    draft.buildings.append(Building(wing, 7.0, 0.6, False, roof))


def add_drive(draft: Draft, plot: Plot, along_px: float, rng: np.random.Generator) -> None:
    """A paved drive from the street, with or without a car."""
    box, street = plot.box, plot.street
    along_px = float(np.clip(along_px, -box.half_along_px + 4, box.half_along_px - 4))
    length_px = rng.uniform(22, 34)
    across_px = street * (box.half_across_px + 2 - length_px / 2)
    paving = PAVING[rng.integers(len(PAVING))]
    draft.slabs.append(Slab(box.inner(along_px, across_px, (3.2, length_px / 2)), paving))
    if rng.random() < 0.6:
        draft.slabs.append(car(box, (along_px, across_px), box.angle_rad + np.pi / 2, rng))


def car(
    frame: Box, place_px: tuple[float, float], angle_rad: float, rng: np.random.Generator
) -> Slab:
    """A parked car at a place of a box's frame."""
    row, col = frame.at(*place_px)
    paint = CARS[rng.integers(len(CARS))]
    return Slab(Box(row, col, angle_rad, 4.4, 1.9), paint, height_px=2.6, glazed=True)


def add_garden(draft: Draft, plot: Plot, rng: np.random.Generator) -> None:
    """What the ground behind the house holds, each by chance, and perhaps a shed."""
    side = rng.choice([-1.0, 1.0])
    for chance, along_px, inset_px, layers in GARDEN:
        if rng.random() < chance:
            for half_sides_px, colour in layers:
                place = box_behind(plot, side * along_px, inset_px, half_sides_px)
                draft.slabs.append(Slab(place, colour))
    if rng.random() < 0.5:
        shed = box_behind(plot, side * (plot.box.half_along_px - 6), 6.0, (4.5, 3.5))
        draft.buildings.append(Building(shed, 4.5, 0.35, False, (142, 122, 102)))


def box_behind(
    plot: Plot, along_px: float, inset_px: float, half_sides_px: tuple[float, float]
) -> Box:
    """A box in the back of a plot, inset_px from its far edge."""
    across_px = -plot.street * (plot.box.half_across_px - inset_px)
    return plot.box.inner(along_px, across_px, half_sides_px)
