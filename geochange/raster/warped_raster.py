"""WarpedRaster: one date of a pair on the grid of a run, warped lazily, read window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import rasterio.crs
from affine import Affine
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.vrt import WarpedVRT
from rasterio.windows import Window as RasterioWindow

from geochange.errors import InputError, RunError
from geochange.grid.common_ground import common_window
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.raster.access.dataset_pool import HANDLES
from geochange.raster.access.remote import is_remote
from geochange.raster.access.retry import PAUSES_S, Handle, read_pieces, retry_read
from geochange.raster.access.unreadable_areas import (
    UnreadableError,
    describe_windows,
    merge_windows,
    summarise,
)
from geochange.raster.band_metadata import common_dtype
from geochange.raster.cell_grid import PixelsAndMask, cells_touching, expand_to_cells, paste_window
from geochange.raster.pixel_reader import read_raw, read_window
from geochange.raster.reader import RasterInfo, opened
from geochange.raster.sources.band_subset import subset_vrt
from geochange.raster.valid_pixels import valid_by_value, zero_invalid

WARP_CELL_PX = 512
"""The size of the cells in which pixels are warped.

GDAL approximates a reprojection along the rows of the window that it warps, so a pixel would depend
on the window. With fixed cells it does not.
"""

WARP_MEMORY_MB = 64

OVERVIEW_TOLERANCE = 1.2
"""An overview may be coarser than needed by this factor."""

ReadWindow = Callable[[Window], PixelsAndMask]


@dataclass(frozen=True)
class WarpTarget:
    """The target of a warp: a transform in the CRS of the grid, and a shape (rows, cols).

    overview: the factor of the overview to read; None reads the full resolution.
    """

    transform: Affine
    shape: tuple[int, int]
    overview: int | None = None
    resampling: Resampling = Resampling.bilinear


@dataclass(frozen=True)
class WarpedRaster:
    """One date on the grid of the run.

    offset_px: (rows, cols) from the grid's origin to the raster's, if their pixels coincide; None if
    the raster must be warped.
    shift_px: (rows, cols) of the grid by which objects in the raster are displaced down and to the
    right. The warp corrects it.
    raw: whether `reader` returns all values as in the file, valid as far as the file declares them.
    It works only if pixels coincide.
    """

    info: RasterInfo
    bands: tuple[int, ...]
    grid: Grid
    offset_px: tuple[int, int] | None
    shift_px: tuple[float, float] = (0.0, 0.0)
    raw: bool = False

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the pixels that are read: the common dtype of the bands."""
        return common_dtype(self.info.chosen(self.bands))

    @property
    def _unshifted_transform(self) -> Affine:
        """The transform of the grid, moved by `shift_px`."""
        rows, cols = self.shift_px
        return self.grid.transform @ Affine.translation(cols, rows)

    @property
    def unwarped(self) -> WarpedRaster:
        """The raster on its own grid without warping, cropped to the area that it shares with `grid`."""
        if self.offset_px is not None:
            return self
        own = self.info.grid
        window = common_window(own, [self.grid]) or own.full_window
        corner = (-window.row, -window.col)
        return replace(self, grid=own.crop(window), offset_px=corner, shift_px=(0.0, 0.0))

    @contextmanager
    def reader(
        self, unread: set[Window] | None = None, finely: bool = True, run: str | None = None
    ) -> Iterator[ReadWindow]:
        """Open the raster. Yields a function from a window of the grid, which may exceed it, to pixels.

        If pixels cannot be read, the raster is reopened and read again. If this fails, they are
        invalid and are added to `unread` as fixed cells of the grid: the raster's own blocks, or cells
        of the warp. Without `finely`, all cells of a window count as lost once a server fails,
        because trying each cell takes minutes. The handle belongs to the thread that opened it.
        run: the name of the run, for which the raster stays open; see `HandlePool`.

        Raises RunError if the raster can no longer be opened, and UnreadableError if `unread` is None.
        """
        keep = run is not None and self.offset_px is not None and not is_remote(self.info.path)
        first = partial(self._open, run) if keep else self._open
        with Handle(first, self._open) as handle:
            yield lambda window: self._read(handle, window, unread, finely)

    @contextmanager
    def _open(self, run: str | None = None, target: WarpTarget | None = None) -> Iterator[Any]:
        with ExitStack() as stack:
            opening = self._open_in(stack, run, target)
            if isinstance(opening, Exception):
                # Raised outside the except block, because GDAL's errors cannot be pickled.
                raise RunError(f"{opening}; it could be opened when the run began")
            yield opening

    def _open_in(self, stack: ExitStack, run: str | None, target: WarpTarget | None) -> Any:
        """The open raster, or the error that prevents opening it."""
        path = self.info.path
        try:
            dataset = stack.enter_context(HANDLES.borrow(run, path) if run else opened(path))
            if self.offset_px is None:
                target = target or WarpTarget(self._unshifted_transform, self.grid.shape)
                place = self.info.grid.continuous(self.grid)
                chosen = subset_vrt(dataset, self.info, self.bands, place, target.overview)
                dataset = stack.enter_context(opened(chosen))
                dataset = stack.enter_context(self._warped(dataset, target))
        except (InputError, RasterioError) as error:
            return error
        return dataset

    def _read(
        self, handle: Handle, window: Window, unread: set[Window] | None, finely: bool
    ) -> PixelsAndMask:
        inside = window.intersection(self.extent)
        if inside is None:
            return self._blank(window)
        if self.offset_px is not None:
            # Blocks of a VRT or a mask have other blocks behind them. Only whole blocks fail reliably.
            wide = expand_to_cells(inside, self._cells(inside)) if self.info.blurred else inside
            read = retry_read(handle, lambda dataset: self._read_piece(dataset, wide))
            if not isinstance(read, RasterioError):
                return read if wide == window else self._placed(window, wide, read)
            if unread is not None and not finely and is_remote(self.info.path):
                unread |= set(self._cells(inside))
                return self._blank(window)
            inside = wide
        return self._read_cells(handle, window, inside, unread)

    @property
    def extent(self) -> Window:
        """The window of the grid that the raster covers."""
        if self.offset_px is None:
            return self.grid.full_window
        return self.info.grid.full_window.moved(*self.offset_px)

    def _cells(self, window: Window) -> Iterator[Window]:
        """The cells that `window` touches. Each cell is readable or unreadable as a whole."""
        if self.offset_px is None:
            return cells_touching(window, (WARP_CELL_PX, WARP_CELL_PX), (0, 0), self.extent)
        return cells_touching(window, self.info.block_px, self.offset_px, self.extent)

    def _blank(self, window: Window) -> PixelsAndMask:
        shape = (window.height, window.width)
        return np.zeros((*shape, len(self.bands)), self.dtype), np.zeros(shape, np.bool_)

    def _placed(self, window: Window, piece: Window, read: PixelsAndMask) -> PixelsAndMask:
        answer = self._blank(window)
        paste_window(answer, window, piece, read)
        return answer

    def read_thinned(self, window: Window, shape: tuple[int, int]) -> PixelsAndMask:
        """The mean pixels of a window inside `extent`, at a shape (rows, cols). For display only.

        It uses overviews if there are any, else it reads every pixel. Unreadable pixels are invalid.
        Raises RunError if the raster can no longer be opened.
        """
        if self.offset_px is not None and self._is_missing_in_two_ways:
            return replace(self, offset_px=None).read_thinned(window, shape)
        target = self._thinned_target(window, shape)
        piece = Window(0, 0, *shape) if self.offset_px is None else window
        with Handle(lambda: self._open(target=target)) as handle:
            read = retry_read(handle, lambda dataset: self._read_piece(dataset, piece, shape))
        return self._blank(Window(0, 0, *shape)) if isinstance(read, RasterioError) else read

    @property
    def _is_missing_in_two_ways(self) -> bool:
        """Whether both masks and values mark missing pixels. GDAL's averages respect only one of them."""
        bands = self.info.chosen(self.bands)
        is_masked = self.info.alpha is not None or any(band.mask is not None for band in bands)
        has_fills = any(band.fills for band in bands)
        return has_fills or (is_masked and any(band.missing_values for band in bands))

    def _thinned_target(self, window: Window, shape: tuple[int, int]) -> WarpTarget:
        rows, cols = window.height / shape[0], window.width / shape[1]
        corner = self._unshifted_transform @ Affine.translation(window.col, window.row)
        overview = self.overview(window, shape)
        return WarpTarget(corner @ Affine.scale(cols, rows), shape, overview, Resampling.average)

    def overview(self, window: Window, shape: tuple[int, int]) -> int | None:
        """The factor of the overview for reading a window at a shape (rows, cols).

        None if only the full resolution is fine enough.
        """
        if not self.info.overviews:
            return None
        if self.offset_px is None:
            window = common_window(self.info.grid, [self.grid.crop(window)]) or window
        factor = max(window.height / shape[0], window.width / shape[1])
        return max(
            (o for o in self.info.overviews if o <= factor * OVERVIEW_TOLERANCE), default=None
        )

    def _read_piece(
        self, dataset: Any, piece: Window, shape: tuple[int, int] | None = None
    ) -> PixelsAndMask:
        if self.offset_px is None:
            return self._read_warped(dataset, piece)
        rows, cols = self.offset_px
        read = read_raw if self.raw else read_window
        return read(dataset, self.info, self.bands, piece.moved(-rows, -cols), shape)

    def _read_cells(
        self, handle: Handle, window: Window, inside: Window, unread: set[Window] | None
    ) -> PixelsAndMask:
        """The pixels of a window, cell by cell, without unreadable cells."""
        answer = self._blank(window)

        def take(cell: Window, dataset: Any) -> None:
            # Cells of a warp are computed as a whole. Of the raster's own blocks, a part is enough.
            part = cell if self.offset_px is None else cell.intersection(inside)
            if part is not None:
                paste_window(answer, window, part, self._read_piece(dataset, part))

        # The whole window was already retried, so each cell gets one further try.
        waits = PAUSES_S if self.offset_px is None else (0.0,)
        failed = read_pieces(handle, self._cells(inside), take, waits)
        bad = {cell.intersection(self.grid.full_window) or cell for cell in failed}
        if failed and unread is None:
            raise UnreadableError(
                summarise(describe_windows(self.info, self.grid, merge_windows(bad)))
            )
        if unread is not None:
            unread |= bad
        return answer

    def _warped(self, dataset: Any, target: WarpTarget) -> WarpedVRT:
        height, width = target.shape
        return WarpedVRT(
            dataset,
            crs=rasterio.crs.CRS.from_wkt(self.grid.crs.to_wkt()),
            transform=target.transform,
            height=height,
            width=width,
            resampling=target.resampling,
            warp_mem_limit=WARP_MEMORY_MB,
            add_alpha=True,
        )

    def _read_warped(self, warped: WarpedVRT, cell: Window) -> PixelsAndMask:
        source = RasterioWindow(cell.col, cell.row, cell.width, cell.height)
        count = len(self.bands)
        bands = np.asarray(warped.read(list(range(1, count + 1)), window=source))
        valid = warped.read(count + 1, window=source) > 0
        valid &= valid_by_value(bands, self.info.chosen(self.bands))
        return zero_invalid(np.moveaxis(bands, 0, -1), valid), valid
