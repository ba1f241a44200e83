"""Labels of a pair, as polygons or as a raster, read in windows of the pair's grid."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geochange.chip import CHANGED, UNKNOWN
from geochange.dataset.raster_labels import SCAN_PX, RasterLabels, ReadLabel, open_raster_labels
from geochange.errors import InputError
from geochange.files.archives import gdal_name
from geochange.grid.grid import Grid
from geochange.grid.tiling import TilePlan, Window
from geochange.raster.sources.resolve import PathLike
from geochange.vector.files.formats import is_vector
from geochange.vector.files.polygon_reader import (
    Burner,
    Layer,
    find_layer,
    read_outlines,
)

CACHED_FILES = 16
"""The number of polygon files that a process keeps in its cache."""


@dataclass(frozen=True)
class PolygonLabels:
    """Pixels in polygons are change. All other pixels of the grid are unchanged."""

    layer: Layer
    grid: Grid

    @property
    def path(self) -> Path:
        """The file."""
        return self.layer.path

    @contextmanager
    def reader(self) -> Iterator[ReadLabel]:
        """Read the polygons, or take them from the cache of this process."""
        burner = _burner(self.layer.key, self)
        yield lambda window: label_on_grid(burner.burn(window), window, self.grid)


@lru_cache(CACHED_FILES)
def _burner(key: tuple[str, str, int], labels: PolygonLabels) -> Burner:
    return Burner(read_outlines(labels.layer, labels.grid))


def label_on_grid(drawn: NDArray[Any], window: Window, grid: Grid) -> NDArray[np.uint8]:
    """The label drawn in a window. Pixels outside the grid are unknown."""
    label = np.full(drawn.shape, UNKNOWN, np.uint8)
    inside = window.intersection(grid.full_window)
    if inside is not None:
        place = inside.within(window)
        label[place] = drawn[place]
    return label


Labels = PolygonLabels | RasterLabels


def open_labels(path: PathLike, grid: Grid) -> Labels:
    """The labels on a grid, from polygons or a raster. A raster is read through once.

    Unusual labels are logged as warnings. Raises InputError if the file cannot be read, has no CRS, is
    empty, does not overlap the grid, holds invalid polygons, or holds values other than 0, 1 and 255.
    """
    named = Path(gdal_name(os.fspath(path)))
    return _open_polygons(named, grid) if is_vector(named) else open_raster_labels(path, grid)


def _open_polygons(path: Path, grid: Grid) -> PolygonLabels:
    layer = find_layer(path)
    if layer.features == 0:
        raise InputError(f"{path}: holds no polygon; draw what changed, or give other labels")
    labels = PolygonLabels(layer, grid)
    if len(_burner(layer.key, labels).outlines) == 0:
        raise InputError(f"{path}: none of its polygons lies on the pair; check its CRS and place")
    return labels


class GriddedLabels(Protocol):
    """Labels of any kind."""

    @property
    def grid(self) -> Grid:
        """The grid on which they are read."""
        ...

    def reader(self) -> AbstractContextManager[ReadLabel]:
        """Open them."""
        ...


def holds_change(labels: GriddedLabels) -> bool:
    """Whether any pixel of the grid is change."""
    with labels.reader() as read:
        windows = TilePlan(labels.grid.shape, SCAN_PX, 0, 1).output_windows()
        return any((read(window) == CHANGED).any() for window in windows)
