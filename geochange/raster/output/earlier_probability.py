"""Reads the probability raster of an earlier run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from geochange.errors import InputError
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.raster.access.block_memory import reading_bytes, refuse_large_blocks
from geochange.raster.access.declared_size import is_implausible_size
from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS
from geochange.raster.fingerprint import size_of
from geochange.raster.georeference import read_grid
from geochange.raster.output.cog import COG_TILE_PX
from geochange.raster.reader import PROBABILITY_BAND, opened

BLOCK_PX = 4 * COG_TILE_PX
"""The size of the blocks in which it is read, a multiple of the tiles of the file."""


@dataclass(frozen=True)
class ProbabilityRaster:
    """A file of change probability: 0 to 254 = 0 to 100 %, otherwise NODATA."""

    path: str
    grid: Grid

    @classmethod
    def of(cls, path: str) -> ProbabilityRaster:
        """Open a file. Raises InputError if it is not a probability raster of a run."""
        with IGNORE_GEOREFERENCE_WARNINGS, opened(path) as dataset:
            if (dataset.descriptions or ("",))[0] != PROBABILITY_BAND:
                raise InputError(
                    f"{path}: is not a probability raster of geochange run; give the .tif beside "
                    "its polygons"
                )
            refuse_large_blocks(path, dataset.block_shapes[0], reading_bytes(dataset))
            held = size_of([path])
            if held is not None and is_implausible_size(dataset.height * dataset.width, held):
                raise InputError(f"{path}: nearly all of it is empty; run again to write it")
            return cls(path, read_grid(path, dataset))

    def blocks(self) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
        """All pixels, block by block, in rows. Raises InputError for a damaged file."""
        height, width = self.grid.shape
        with self._reading() as dataset:
            for row, col in product(range(0, height, BLOCK_PX), range(0, width, BLOCK_PX)):
                window = Window(row, col, BLOCK_PX, BLOCK_PX).intersection(self.grid.full_window)
                assert window is not None
                yield window, dataset.read(1, window=_as_rasterio(window))

    def read_thinned(self, window: Window, shape: tuple[int, int]) -> NDArray[np.uint8]:
        """The mean probability of a window inside the raster, at a shape (rows, cols), with overviews."""
        with self._reading() as dataset:
            return np.asarray(
                dataset.read(
                    1, window=_as_rasterio(window), out_shape=shape, resampling=Resampling.average
                )
            )

    @contextmanager
    def _reading(self) -> Iterator[Any]:
        try:
            with opened(self.path) as dataset:
                yield dataset
        except RasterioError as error:
            raise InputError(f"{self.path}: damaged or cut off, run again to write it") from error


def is_probability(path: Path) -> bool:
    """Whether a file is a probability raster of a run. Only such a file may be overwritten."""
    try:
        ProbabilityRaster.of(str(path))
    except InputError:
        return False
    return True


def _as_rasterio(window: Window) -> RasterioWindow:
    return RasterioWindow(window.col, window.row, window.width, window.height)
