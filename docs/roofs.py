"""Roofs and ponds that appear on made-up ground, and a small network that was shown both."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image

import geochange
from geochange.landscape import make_landscape

CHIP_PX = 64
ROOF, POND = (205, 105, 80), (45, 70, 105)

Photo = NDArray[np.uint8]


@dataclass(frozen=True)
class Thing:
    """What appears: where, in pixels, and whether it is a roof, else a pond."""

    rows: slice
    cols: slice
    is_roof: bool

    @property
    def box(self) -> shapely.Geometry:
        """Its corners as (col, row)."""
        return shapely.box(self.cols.start, self.rows.start, self.cols.stop, self.rows.stop)


@dataclass(frozen=True)
class Ground:
    """One place at two dates; the things are new in the second, and 255 in the label."""

    before: Photo
    after: Photo
    label: Photo
    things: Sequence[Thing]


def make_ground(size: int, count: int, seed: int) -> Ground:
    """A landscape with `count` new things, roofs and ponds in turn."""
    draw = np.random.default_rng(seed)
    things, land = list(_things(size, count, draw)), make_landscape(size, seed).before
    built = land.astype(float)
    for thing in things:
        _put(built[thing.rows, thing.cols], thing.is_roof)
    label = (built != land).any(axis=2).astype(np.uint8) * 255
    noisy = (date + draw.normal(0, 4, land.shape) for date in (land, built))
    before, after = (date.clip(0, 255).astype(np.uint8) for date in noisy)
    return Ground(before, after, label, things)


def _things(size: int, count: int, draw: np.random.Generator) -> Iterator[Thing]:
    """At most one in a cell of a lattice."""
    for number, cell in enumerate(draw.permutation((size // CHIP_PX) ** 2)[:count].tolist()):
        corner = np.array(divmod(cell, size // CHIP_PX)) * CHIP_PX + draw.integers(4, 30, 2)
        height, width = draw.integers(16, 28, 2).tolist()
        row, col = corner.tolist()
        yield Thing(slice(row, row + height), slice(col, col + width), number % 2 == 0)


def _put(spot: NDArray[np.float64], is_roof: bool) -> None:
    """A roof is square and lit from one side, a pond round."""
    rows, cols = (np.linspace(-1, 1, n) for n in spot.shape[:2])
    lit = 1 + 0.12 * np.sign(rows)[:, None, None] * is_roof
    inside = np.ones(spot.shape[:2], bool) if is_roof else np.hypot(*np.ix_(rows, cols)) < 1
    colours = np.broadcast_to(np.array(ROOF if is_roof else POND) * lit, spot.shape)
    spot[inside] = colours[inside]


def teach(folder: Path) -> Path:
    """A checkpoint that calls roofs and ponds alike a change; a minute on two cores."""
    for split, seed in (("train", 31), ("val", 32)):
        cut(make_ground(512, 56, seed), folder / "chips" / split)
    settings = {
        "network.variant": "tiny",
        "prompts.mode": "fixed",
        "data.root": str(folder / "chips"),
        "augment.size": CHIP_PX,
        "optim.lr": 2e-3,
        "optim.steps": 150,
    }
    config = Path(__file__).resolve().parents[1] / "configs" / "smoke.yaml"
    return geochange.train(config, folder / "taught", settings=settings, resume=True).best


def cut(ground: Ground, folder: Path) -> None:
    """Chips of all of it, as time1/, time2/ and label/ in a folder."""
    pictures = {"time1": ground.before, "time2": ground.after, "label": ground.label}
    for name, picture in pictures.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for row, col in np.ndindex(picture.shape[0] // CHIP_PX, picture.shape[1] // CHIP_PX):
            part = picture[row * CHIP_PX :, col * CHIP_PX :][:CHIP_PX, :CHIP_PX]
            Image.fromarray(part).save(folder / name / f"{row}_{col}.png")
