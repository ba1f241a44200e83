"""Pairs for reviews and training: roofs that are built, and ponds that fill with water."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from makers import make_raster
from numpy.typing import NDArray

BRIEFLY = {
    "optim.lr": 1e-3,
    "optim.steps": 20,
    "optim.warmup_steps": 0,
    "validation.every": 20,
    "augment.size": 64,
    "device.threads": 1,
    "data.workers": 0,
}
"""Options of a training that removes the ponds from the planted network's result, in seconds."""

METRE = Affine(1, 0, 500_000, 0, -1, 5_000_000)
"""Pixels of 1 m in UTM zone 32."""

ROOF, POND = (225, 120, 95), (40, 70, 120)
"""Colours of new objects: a wanted change, and an unwanted one."""

Place = tuple[int, int, int]
"""First row and column of a square, and its side."""


def scene(
    side: int, seed: int, roofs: Sequence[Place], ponds: Sequence[Place]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Before and after, (side, side, 3), of smooth ground on which squares appear."""
    rng = np.random.default_rng(seed)
    rows, cols = np.indices((side, side)) / 16
    ground = (100 + 25 * np.sin(rows + seed) * np.cos(cols - seed))[..., None]
    before, after = (ground + rng.normal(0, 5, (side, side, 3)) for _ in range(2))
    for places, colour in ((roofs, ROOF), (ponds, POND)):
        for row, col, size in places:
            spot = after[row : row + size, col : col + size]
            spot[:] = np.array(colour) + rng.normal(0, 5, spot.shape)
    first, second = (date.clip(0, 255).astype(np.uint8) for date in (before, after))
    return first, second


def make_pair(
    folder: Path, side: int, seed: int, roofs: Sequence[Place], ponds: Sequence[Place]
) -> tuple[Path, Path]:
    """Write before.tif and after.tif."""
    folder.mkdir(parents=True, exist_ok=True)
    names = ("before.tif", "after.tif")
    dates = scene(side, seed, roofs, ponds)
    before, after = (
        make_raster(folder / name, date, transform=METRE)
        for name, date in zip(names, dates, strict=True)
    )
    return before, after


def on_the_ground(places: Sequence[Place]) -> shapely.Geometry:
    """The squares in the CRS of the pair."""
    squares = [shapely.box(col, -row - size, col + size, -row) for row, col, size in places]
    return shapely.affinity.translate(shapely.union_all(squares), 500_000, 5_000_000)


def set_status(changes: Path, statuses: Mapping[int, str]) -> None:
    """Set `status` of changes by id in the file itself, as QGIS does on saving."""
    with closing(sqlite3.connect(changes)) as database, database:
        for function in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
            # GeoPackage's triggers need these functions, but none runs for an attribute.
            database.create_function(function, 1, lambda _: 0)
        columns = [row[1] for row in database.execute("PRAGMA table_info(changes)")]
        if "status" not in columns:
            database.execute("ALTER TABLE changes ADD COLUMN status TEXT")
        for number, status in statuses.items():
            database.execute("UPDATE changes SET status = ? WHERE id = ?", (status, number))
