"""Labels of a pair: polygons or a raster, read as windows of the pair's grid."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.crs
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from geochange.errors import InputError
from geochange.grid.grid import Grid, common_window
from geochange.grid.tiling import TilePlan, Window
from geochange.raster.aligned import Date
from geochange.raster.pixels import read_window
from geochange.raster.reader import RasterInfo, inspect, opened
from geochange.vector.files.formats import is_vector
from geochange.vector.files.polygon_reader import (
    Burner,
    Layer,
    find_layer,
    read_outlines,
)

NONE, CHANGE, UNKNOWN = 0, 1, 255
"""What a label says of a pixel."""

EXACT_PX = 1e-6
"""How far a warp may stray: nearly exact, hence the same from any window."""

SCAN_PX = 2048
"""A raster of labels is looked through in squares of this size."""

KEPT_FILES = 16
"""So many files of polygons a process keeps at hand."""

ReadLabel = Callable[[Window], NDArray[np.uint8]]
"""From a window of the grid, which may overhang, to (height, width) uint8."""


@dataclass(frozen=True)
class PolygonLabels:
    """Polygons are change, all else on the grid is none."""

    layer: Layer
    grid: Grid

    @property
    def path(self) -> Path:
        """The file."""
        return self.layer.path

    @contextmanager
    def reader(self) -> Iterator[ReadLabel]:
        """Read the polygons, or take them as they were read before in this process."""
        burner = _burner(self.layer.key, self)
        yield lambda window: on_grid(burner.burn(window), window, self.grid)


@lru_cache(KEPT_FILES)
def _burner(key: tuple[str, str, int], labels: PolygonLabels) -> Burner:
    return Burner(read_outlines(labels.layer, labels.grid))


def on_grid(drawn: NDArray[Any], window: Window, grid: Grid) -> NDArray[np.uint8]:
    """The label that is drawn in a window, unknown where the window overhangs the grid."""
    label = np.full(drawn.shape, UNKNOWN, np.uint8)
    inside = window.intersection(grid.whole)
    if inside is not None:
        place = inside.within(window)
        label[place] = drawn[place]
    return label


@dataclass(frozen=True)
class RasterLabels:
    """A raster of labels on another's grid.

    change: the value that is change, 1 or 255; where it is 1, 255 is unknown. So is nodata, other
    than a nodata of 0, which those who rasterise polygons leave behind, and what it does not cover.
    """

    info: RasterInfo
    grid: Grid
    change: int

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.info.path)

    @contextmanager
    def reader(self) -> Iterator[ReadLabel]:
        """Open the raster; a handle belongs to the thread that opened it."""
        offset = self.grid.same_lattice(self.info.grid)
        if offset is not None:
            with Date(self.info, (1,), self.grid, offset).reader() as read:
                yield lambda window: self._label(*read(window))
            return
        with opened(self.info.path) as dataset, self._warped(dataset) as warped:
            yield lambda window: self._label(*self._read_warped(warped, window))

    def _label(self, pixels: NDArray[Any], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
        values = pixels[..., 0]
        label = np.asarray(values == self.change, np.uint8)
        label[~valid | ((values == UNKNOWN) & (self.change == CHANGE))] = UNKNOWN
        return label

    def _warped(self, dataset: Any) -> WarpedVRT:
        height, width = self.grid.shape
        options: dict[str, Any] = {"src_nodata": self.info.nodata, "nodata": self.info.nodata}
        if self.info.nodata is None and self.info.alpha is None:
            options["add_alpha"] = True
        return WarpedVRT(
            dataset,
            crs=rasterio.crs.CRS.from_wkt(self.grid.crs.to_wkt()),
            transform=self.grid.transform,
            height=height,
            width=width,
            resampling=Resampling.nearest,
            tolerance=EXACT_PX,
            **options,
        )

    def _read_warped(
        self, warped: WarpedVRT, window: Window
    ) -> tuple[NDArray[Any], NDArray[np.bool_]]:
        pixels = np.zeros((window.height, window.width, 1), warped.dtypes[0])
        valid = np.zeros((window.height, window.width), np.bool_)
        inside = window.intersection(self.grid.whole)
        if inside is not None:
            source = RasterioWindow(inside.col, inside.row, inside.width, inside.height)
            place = inside.within(window)
            pixels[place] = warped.read([1], window=source)[0, ..., None]
            valid[place] = warped.dataset_mask(window=source) > 0
        return pixels, valid


Labels = PolygonLabels | RasterLabels


def open_labels(path: Path, grid: Grid) -> Labels:
    """The labels of a grid, from polygons or a raster; a raster is looked through once.

    Raises InputError for a file that cannot be read, has no CRS, holds nothing or nothing on the
    grid, geometry that is no valid polygon, or values other than 0, 1 and 255.
    """
    return _open_polygons(path, grid) if is_vector(path) else _open_raster(path, grid)


def _open_polygons(path: Path, grid: Grid) -> PolygonLabels:
    layer = find_layer(path)
    if layer.features == 0:
        raise InputError(f"{path}: holds no polygon; draw what changed, or give other labels")
    labels = PolygonLabels(layer, grid)
    if len(_burner(layer.key, labels).outlines) == 0:
        raise InputError(f"{path}: none of its polygons lies on the pair; check its CRS and place")
    return labels


def _open_raster(path: Path, grid: Grid) -> RasterLabels:
    info = inspect(path)
    if info.bands > 1:
        raise InputError(
            f"{path}: holds {info.bands} bands; give labels of one (gdal_translate -b)"
        )
    if common_window(grid, [info.grid]) is None:
        raise InputError(f"{path}: covers nothing of the pair; check its CRS and place")
    if info.nodata == NONE:
        info = replace(info, nodata=None)
    return RasterLabels(info, grid, _change_value(info))


def _change_value(info: RasterInfo) -> int:
    """1, or 255 where that is all there is besides 0."""
    values: set[float] = set()
    plan = TilePlan(info.grid.shape, SCAN_PX, 0, 1)
    with opened(info.path) as dataset:
        for window in plan.output_windows():
            pixels, valid = read_window(dataset, info, (1,), window)
            values |= set(np.unique(pixels[valid]).tolist())
    odd = sorted(values - {NONE, CHANGE, UNKNOWN})
    if odd:
        raise InputError(
            f"{info.path}: holds the label {odd[0]:g}; change is 1 or 255, all else 0 (beside 1, "
            "255 is unknown)"
        )
    return UNKNOWN if UNKNOWN in values and CHANGE not in values else CHANGE
