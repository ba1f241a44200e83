"""Fields: crops in rows with tractor lines, headlands, margins and meadows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geochange.landscape.plan.parcels import Parcels
from geochange.landscape.plan.plan_objects import Plan
from geochange.landscape.render.canvas import Colour
from geochange.landscape.render.noise import Floats, fractal_noise, line_noise

TRAM_SPACING_PX = 46.0
HEADLAND_PX = 22.0
MARGIN_PX = 3.5


@dataclass(frozen=True, slots=True)
class Crop:
    """A crop's colour at both dates, its rows' spacing in px and how strongly each shows.

    rows, trams, mown, patches: relative contrast of rows, tractor lines, swaths, soil patches.
    """

    summer: Colour
    autumn: Colour
    spacing_px: float
    rows: float
    trams: float
    mown: float
    patches: float


CROPS = (
    Crop((176, 165, 108), (186, 170, 118), 3.1, 0.020, 0.16, 0.0, 0.045),  # wheat
    Crop((192, 176, 122), (194, 174, 126), 3.1, 0.020, 0.14, 0.03, 0.040),  # barley
    Crop((112, 130, 76), (115, 126, 75), 3.4, 0.060, 0.06, 0.0, 0.070),  # maize
    Crop((102, 130, 72), (106, 126, 73), 3.0, 0.045, 0.12, 0.0, 0.060),  # beet
    Crop((138, 146, 86), (146, 146, 92), 3.0, 0.025, 0.17, 0.0, 0.050),  # rape
    Crop((120, 143, 86), (126, 141, 87), 3.0, 0.010, 0.0, 0.045, 0.060),  # ley
    Crop((126, 141, 86), (134, 141, 88), 3.0, 0.0, 0.0, 0.015, 0.095),  # pasture
    Crop((150, 133, 104), (147, 131, 105), 4.2, 0.045, 0.05, 0.0, 0.085),  # bare soil
    Crop((120, 126, 78), (124, 124, 78), 5.2, 0.090, 0.05, 0.0, 0.060),  # potatoes
)
MARGIN = Crop((128, 138, 84), (136, 138, 86), 3.0, 0.0, 0.0, 0.0, 0.1)


def paint_fields(plan: Plan, parcels: Parcels, autumn: float) -> Floats:
    """(row, col, 3) colour of the farmland at a date."""
    rng = plan.stream(2)
    count = len(parcels.along_rad)
    crops = assign_crops(count, rng)
    own_tint = (rng.normal(0, 5, (count, 1)) + rng.normal(0, 2.5, (count, 3))).astype(np.float32)
    own_season = (rng.normal(0, 2.5, (count, 1)) + rng.normal(0, 1.2, (count, 3))).astype(
        np.float32
    )
    base = np.array([crop_colour(CROPS[crop], autumn) for crop in crops], np.float32)
    colour = (base + own_tint + autumn * own_season)[parcels.label]
    across = across_rows(parcels)
    factor = field_relief(parcels, crops, across, rng)
    patches = fractal_noise(parcels.label.shape, rng, longest_px=260, shortest_px=3, slope=1.5)
    strength = crop_trait("patches", crops)[parcels.label] * patches
    # Thin growth lets the soil through: it reddens as it brightens.
    for band, share in enumerate((1.12, 0.95, 0.9)):
        colour[..., band] *= factor + share * strength
    paint_margins(colour, parcels, autumn, patches)
    return colour


def assign_crops(count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """(field,) a crop for each, the common ones more often."""
    weights = np.array([5, 3, 3, 3, 2, 4, 3, 2, 2], float)
    return rng.choice(len(CROPS), size=count, p=weights / weights.sum())


def crop_colour(crop: Crop, autumn: float) -> Colour:
    """The crop's colour between summer (0) and autumn (1)."""
    return tuple(a + autumn * (b - a) for a, b in zip(crop.summer, crop.autumn, strict=True))


def crop_trait(name: str, crops: NDArray[np.intp]) -> Floats:
    """(field,) one number of each field's crop."""
    return np.array([getattr(crop, name) for crop in CROPS], np.float32)[crops]


def across_rows(parcels: Parcels) -> Floats:
    """(row, col) px travelled across the rows; on headlands the rows follow the border."""
    height, width = parcels.label.shape
    rows = np.arange(height, dtype=np.float32)[:, None]
    cols = np.arange(width, dtype=np.float32)[None, :]
    sin, cos = np.sin(parcels.along_rad)[parcels.label], np.cos(parcels.along_rad)[parcels.label]
    across = rows * cos - cols * sin
    return np.where(parcels.edge_px < HEADLAND_PX, parcels.edge_px + 9, across)


def field_relief(
    parcels: Parcels, crops: NDArray[np.intp], across: Floats, rng: np.random.Generator
) -> Floats:
    """(row, col) brightness factor of rows, tractor lines, swaths and sowing streaks."""
    label = parcels.label
    factor = np.ones(label.shape, np.float32)
    factor += crop_trait("rows", crops)[label] * np.sin(
        across * (2 * np.pi / crop_trait("spacing_px", crops)[label])
    )
    phase = np.mod(across, TRAM_SPACING_PX)
    wheels = np.exp(-(((np.abs(phase - 12) - 1.9) / 0.75) ** 2))
    factor -= crop_trait("trams", crops)[label] * wheels
    swath = np.tanh(4 * np.sin(across * (2 * np.pi / 13)))
    factor += crop_trait("mown", crops)[label] * swath
    streaks = line_noise(1 << 14, rng, smooth_px=2.0)
    factor += 0.022 * streaks[np.mod(across + 97 * label, 1 << 14).astype(np.intp)]
    return factor


def paint_margins(colour: Floats, parcels: Parcels, autumn: float, patches: Floats) -> None:
    """Grass strips where two fields meet, ragged at the inner side."""
    width_px = MARGIN_PX + 0.8 * patches
    alpha = np.clip(width_px - parcels.edge_px, 0, 1)
    here = np.nonzero(alpha)
    grass = np.array(crop_colour(MARGIN, autumn), np.float32) * (1 + 0.07 * patches[here])[:, None]
    colour[here] += alpha[here][:, None] * (grass - colour[here])
