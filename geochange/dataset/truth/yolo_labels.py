"""YoloLabels: text files with a polygon a line, as shares of the width and the height, as change."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNCHANGED
from geochange.dataset.truth.json_shapes import draw, polygon_of_ring
from geochange.errors import InputError
from geochange.files.file_tree import read_file
from geochange.grid.tiling import Window

LARGEST_BYTES = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class YoloLabels:
    """The polygons of one pair. paths: a file of one date, or of both."""

    paths: tuple[Path, ...]

    @property
    def path(self) -> Path:
        """The first file."""
        return self.paths[0]

    def change(self, shape: tuple[int, int], window: Window | None) -> NDArray[np.uint8]:
        """1 in polygons of any class, else 0."""
        size = shape if window is None else (window.height, window.width)
        label = np.full(size, UNCHANGED, np.uint8)
        for path in self.paths:
            rings = [polygon_of_ring(path, ring) for ring in _rings(path, shape)]
            if rings:
                label[draw(np.concatenate(rings), shape, window)] = CHANGED
        return label

    def classes(self, shape: tuple[int, int], window: Window | None) -> None:
        """Polygons of change say no classes of both dates."""
        return None


def _rings(path: Path, shape: tuple[int, int]) -> list[NDArray[np.float64]]:
    """The corners of each line in pixels: x, y, x, y, ... Raises InputError."""
    rings = []
    for number, line in enumerate(read_file(path, LARGEST_BYTES, "labels").splitlines(), 1):
        words = line.split()
        if not words:
            continue
        try:
            shares = np.array([float(word) for word in words[1:]])
        except ValueError:
            shares = np.empty(0)
        if len(shares) == 4:
            raise InputError(f"{path}, line {number}: holds a box; export polygons (segmentation)")
        if len(shares) < 6 or len(shares) % 2 or not ((shares >= 0) & (shares <= 1)).all():
            raise InputError(
                f"{path}, line {number}: is no class and corners from 0 to 1; export it again"
            )
        rings.append(shares * np.resize([shape[1], shape[0]], len(shares)))
    return rings
