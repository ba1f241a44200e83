"""Labels of a pair from a raster, read in windows of the pair's grid."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import numpy as np
import rasterio.crs
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from geochange.chip import UNKNOWN
from geochange.dataset.label_values import (
    LabelCode,
    LabelValues,
    code_of,
    inspect_label,
    label_warnings,
)
from geochange.errors import InputError, RunError
from geochange.grid.common_ground import common_ground, common_window
from geochange.grid.grid import Grid
from geochange.grid.polygon_parts import polygonal_part
from geochange.grid.tiling import TilePlan, Window
from geochange.raster.access.block_memory import reading_bytes, refuse_large_blocks
from geochange.raster.access.declared_size import is_implausible_size
from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS
from geochange.raster.access.remote import NO_NEGATIVE_CACHE
from geochange.raster.access.retry import Handle, retry_read
from geochange.raster.fingerprint import size_of
from geochange.raster.georeference import read_grid
from geochange.raster.pictures.label_image import LabelCoding, coding_of, read_numbers
from geochange.raster.reader import forget_virtual, opened
from geochange.raster.sources.resolve import PathLike, source_of
from geochange.raster.sources.subdatasets import refuse_container
from geochange.vector.files.polygon_reader import Burner

logger = logging.getLogger(__name__)

EXACT_PX = 1e-6
"""The largest error of a warp in pixels: almost exact, so that all windows give the same result."""

SCAN_PX = 2048
"""The size of the windows in which a raster of labels is read through."""

ReadLabel = Callable[[Window], NDArray[np.uint8]]
"""From a window of the grid, which may exceed it, to (height, width) uint8."""


@dataclass(frozen=True)
class RasterLabels:
    """A raster of labels on the grid of a pair.

    source: its GDAL name. own: its own grid. code: the meaning of its values. Pixels without a value
    (nodata, mask, alpha) mean `code.rest`. Pixels that the raster does not cover are unknown.
    """

    source: str
    own: Grid
    grid: Grid
    coding: LabelCoding
    code: LabelCode

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.source)

    @contextmanager
    def reader(self) -> Iterator[ReadLabel]:
        """Open the raster. The handle belongs to the thread that opened it.

        Reading raises RunError if pixels cannot be read.
        """
        with Handle(self._open) as handle:
            yield lambda window: self._read(handle, window)

    @property
    def _offset_px(self) -> tuple[int, int] | None:
        """(rows, cols) from the grid's origin to the raster's. None if the raster must be warped."""
        return self.grid.same_lattice(self.own)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        with opened(self.source) as dataset:
            if self._offset_px is not None:
                yield dataset
                return
            with self._warped(dataset) as warped:
                yield warped

    def _read(self, handle: Handle, window: Window) -> NDArray[np.uint8]:
        label = np.full((window.height, window.width), UNKNOWN, np.uint8)
        offset, coding = self._offset_px, self.coding
        inside = window.intersection(self.grid.full_window)
        if offset is not None and inside is not None:
            inside = inside.intersection(self.own.full_window.moved(*offset))
        if inside is None:
            return label
        rows, cols = offset or (0, 0)
        source = RasterioWindow(inside.col - cols, inside.row - rows, inside.width, inside.height)
        if offset is None:
            coding = replace(coding, alpha=coding.alpha or len(coding.bands) + 1, masked=False)
        read = retry_read(handle, lambda raster: read_numbers(self.source, raster, coding, source))
        if isinstance(read, RasterioError):
            raise RunError(f"{self.source}: {_window_text(inside)} cannot be read; fetch it again")
        decoded = self.code.decode(read)
        if offset is None and self.code.rest != UNKNOWN:
            decoded[~read.valid & ~self._footprint.burn(inside)] = UNKNOWN
        label[inside.within(window)] = decoded
        return label

    @cached_property
    def _footprint(self) -> Burner:
        """The area that the raster covers, in pixels of the grid."""
        ground = common_ground(self.grid, [self.own])
        return Burner(np.array([] if ground is None else [polygonal_part(ground)], np.object_))

    def _warped(self, dataset: Any) -> WarpedVRT:
        height, width = self.grid.shape
        own = self.own.continuous(self.grid)
        return WarpedVRT(
            dataset,
            src_crs=rasterio.crs.CRS.from_wkt(own.crs.to_wkt()),
            src_transform=own.transform,
            crs=rasterio.crs.CRS.from_wkt(self.grid.crs.to_wkt()),
            transform=self.grid.transform,
            height=height,
            width=width,
            resampling=Resampling.nearest,
            tolerance=EXACT_PX,
            # Here a nodata value is an ordinary value. The warp must not skip it.
            src_nodata=None,
            nodata=None,
            add_alpha=self.coding.alpha is None,
        )


def open_raster_labels(path: PathLike, grid: Grid) -> RasterLabels:
    """A raster of labels on `grid`; its pixels are read through once.

    Unusual labels are logged as warnings. Raises InputError.
    """
    source = source_of(path)
    forget_virtual(source)  # its files may have changed
    with IGNORE_GEOREFERENCE_WARNINGS, opened(source, **NO_NEGATIVE_CACHE) as dataset:
        refuse_container(source, dataset)
        own = read_grid(source, dataset)
        if common_window(grid, [own]) is None:
            raise InputError(f"{source}: covers nothing of the pair; check its CRS and place")
        _refuse_implausible_size(source, dataset)
        coding = coding_of(source, dataset)
        seen = reduce(LabelValues.__or__, _scan(source, dataset, coding, own))
    code = code_of([seen])
    for remark in label_warnings([seen], code):
        logger.warning("%s: %s", source, remark)
    return RasterLabels(source, own, grid, coding, code)


def _refuse_implausible_size(source: str, dataset: Any) -> None:
    """Refuse labels whose claimed size is too large to read through. Raises InputError."""
    refuse_large_blocks(source, dataset.block_shapes[0], reading_bytes(dataset))
    held = size_of(dataset.files)
    if held is not None and is_implausible_size(dataset.height * dataset.width, held):
        raise InputError(
            f"{source}: has {dataset.height:,} x {dataset.width:,} px and {held:,} bytes, so nearly "
            "all of it is empty; cut it to the pair (gdal_translate -projwin)"
        )


def _scan(source: str, dataset: Any, coding: LabelCoding, own: Grid) -> Iterator[LabelValues]:
    """What each window of a raster of labels holds. Raises InputError."""
    for window in TilePlan(own.shape, SCAN_PX, 0, 1).output_windows():
        part = RasterioWindow(window.col, window.row, window.width, window.height)
        try:
            label = read_numbers(source, dataset, coding, part)
        except RasterioError as error:
            raise InputError(
                f"{source}: damaged or cut off, {_window_text(window)} cannot be read; fetch it again"
            ) from error
        yield inspect_label(source, label)


def _window_text(window: Window) -> str:
    rows, cols = (window.row, window.row_stop - 1), (window.col, window.col_stop - 1)
    return f"rows {rows[0]}-{rows[1]}, columns {cols[0]}-{cols[1]}"
