"""Date: one picture of a pair on the grid of a run, warped lazily and read window by window."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
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
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.raster.handles import HANDLES
from geochange.raster.lattice import Read, lattice, put, widened
from geochange.raster.pixels import read_window, thinning
from geochange.raster.reader import RasterInfo, opened
from geochange.raster.remote import is_remote
from geochange.raster.retry import PAUSES_S, Handle, retry_read, sift
from geochange.raster.sources.subset import subset_vrt
from geochange.raster.unreadable import UnreadableError, describe, merged, summarise

WARP_CELL_PX = 512
"""Warped pixels are always computed in cells of this lattice.

GDAL approximates a reprojection along the rows of whatever window is asked for, so the same pixel
differs from one window to another; from a fixed cell it is always the same.
"""

WARP_MEMORY_MB = 64

ReadWindow = Callable[[Window], Read]


@dataclass(frozen=True)
class AlignedRaster:
    """One picture as seen on the grid of the run.

    offset_px: (rows, cols) from the grid's origin to the raster's, where their pixels coincide;
    None where the raster must be warped.
    shift_px: (rows, cols) of the grid that the raster's things lie too far down and to the right;
    the warp puts them back.
    """

    info: RasterInfo
    bands: tuple[int, ...]
    grid: Grid
    offset_px: tuple[int, int] | None
    shift_px: tuple[float, float] = (0.0, 0.0)

    @property
    def dtype(self) -> np.dtype[Any]:
        """What `read` gives: the raster's own type, float32 where warping needs NaN for nodata."""
        return np.dtype(np.float32) if self._warps_to_nan else self.info.dtype

    @property
    def _warps_to_nan(self) -> bool:
        kind = self.info.dtype.kind
        return self.offset_px is None and (kind == "f" or self.info.sentinel is not None)

    @contextmanager
    def reader(
        self, lost: set[Window] | None = None, finely: bool = True, run: str | None = None
    ) -> Iterator[ReadWindow]:
        """Open the raster; gives a function from a window of the grid, which may overhang, to pixels.

        What cannot be read is tried again, from the raster opened afresh. If it still cannot, it
        is invalid and added to `lost`, as cells of the grid that do not depend on the window read:
        the raster's own blocks, or those of the warping lattice. Without `finely`, all cells of a
        window are given up at once that a server does not give: to ask for each takes minutes.
        A handle belongs to the thread that opened it. run: whose reader this is, for the raster to
        stay open until that asks again; see `Held`.

        Raises RunError if the raster can no longer be opened, UnreadableError without a `lost`.
        """
        keep = run is not None and self.offset_px is not None and not is_remote(self.info.path)
        first = partial(self._open, run) if keep else self._open
        with Handle(first, self._open) as handle:
            yield lambda window: self._read(handle, window, lost, finely)

    @contextmanager
    def _open(self, run: str | None = None) -> Iterator[Any]:
        with ExitStack() as stack:
            opening = self._open_in(stack, run)
            if isinstance(opening, Exception):
                # Not from within its handler: GDAL's own errors cannot travel between processes.
                raise RunError(f"{opening}; it could be opened when the run began")
            yield opening

    def _open_in(self, stack: ExitStack, run: str | None) -> Any:
        """The open raster, or what keeps it from being opened."""
        path = self.info.path
        try:
            dataset = stack.enter_context(HANDLES.lent(run, path) if run else opened(path))
            if self.offset_px is None:
                chosen = subset_vrt(dataset, self.info, self.bands)
                dataset = stack.enter_context(opened(chosen))
                dataset = stack.enter_context(self._warped(dataset))
        except (InputError, RasterioError) as error:
            return error
        return dataset

    def _read(self, handle: Handle, window: Window, lost: set[Window] | None, finely: bool) -> Read:
        inside = window.intersection(self.extent)
        if inside is None:
            return self._blank(window)
        if self.offset_px is not None:
            # Where other pieces lie behind the blocks, only whole blocks fail alike.
            wide = widened(inside, self._cells(inside)) if self.info.blurred else inside
            read = retry_read(handle, lambda dataset: self._read_piece(dataset, wide))
            if not isinstance(read, RasterioError):
                return read if wide == window else self._placed(window, wide, read)
            if lost is not None and not finely and is_remote(self.info.path):
                lost |= set(self._cells(inside))
                return self._blank(window)
            inside = wide
        return self._read_cells(handle, window, inside, lost)

    @property
    def extent(self) -> Window:
        """Where there are pixels to read, on the grid."""
        if self.offset_px is None:
            return self.grid.whole
        return self.info.grid.whole.moved(*self.offset_px)

    def _cells(self, window: Window) -> Iterator[Window]:
        """The cells that `window` touches, each of which is readable or is not."""
        if self.offset_px is None:
            return lattice(window, (WARP_CELL_PX, WARP_CELL_PX), (0, 0), self.extent)
        return lattice(window, self.info.block_px, self.offset_px, self.extent)

    def _blank(self, window: Window) -> Read:
        shape = (window.height, window.width)
        return np.zeros((*shape, len(self.bands)), self.dtype), np.zeros(shape, np.bool_)

    def _placed(self, window: Window, piece: Window, read: Read) -> Read:
        answer = self._blank(window)
        put(answer, window, piece, read)
        return answer

    def thinned(self, window: Window, shape: tuple[int, int]) -> Read:
        """A window inside of `extent` at (rows, cols) of `shape`, pixels averaged; for the eye alone.

        Overviews serve where there are any, else every pixel is read. What cannot be read is
        invalid. Raises RunError if the raster can no longer be opened.
        """
        with Handle(self._open) as handle:
            read = retry_read(handle, lambda dataset: self._read_piece(dataset, window, shape))
        return self._blank(Window(0, 0, *shape)) if isinstance(read, RasterioError) else read

    def _read_piece(
        self, dataset: Any, piece: Window, shape: tuple[int, int] | None = None
    ) -> Read:
        if self.offset_px is None:
            return self._read_warped(dataset, piece, shape)
        rows, cols = self.offset_px
        return read_window(dataset, self.info, self.bands, piece.moved(-rows, -cols), shape)

    def _read_cells(
        self, handle: Handle, window: Window, inside: Window, lost: set[Window] | None
    ) -> Read:
        """The pixels of a window cell by cell, without those that cannot be read."""
        answer = self._blank(window)

        def take(cell: Window, dataset: Any) -> None:
            # A cell of the warp is computed whole; a raster's own block need not be.
            part = cell if self.offset_px is None else cell.intersection(inside)
            if part is not None:
                put(answer, window, part, self._read_piece(dataset, part))

        # Of a window that was tried again as a whole, once more is enough.
        waits = PAUSES_S if self.offset_px is None else (0.0,)
        failed = sift(handle, self._cells(inside), take, waits)
        bad = {cell.intersection(self.grid.whole) or cell for cell in failed}
        if failed and lost is None:
            raise UnreadableError(summarise(describe(self.info, self.grid, merged(bad))))
        if lost is not None:
            lost |= bad
        return answer

    def _warped(self, dataset: Any) -> WarpedVRT:
        options: dict[str, Any] = {}
        if self._warps_to_nan:
            options = {"dtype": "float32", "nodata": float("nan"), "src_nodata": self.info.nodata}
            if self.info.nodata is None:
                options["src_nodata"] = float("nan")
            options["UNIFIED_SRC_NODATA"] = "NO"
        else:
            options = {"UNIFIED_SRC_NODATA": "YES"}
        if self.info.alpha is None and (self.info.masked or not self._warps_to_nan):
            options["add_alpha"] = True
        height, width = self.grid.shape
        rows, cols = self.shift_px
        return WarpedVRT(
            dataset,
            crs=rasterio.crs.CRS.from_wkt(self.grid.crs.to_wkt()),
            transform=self.grid.transform @ Affine.translation(cols, rows),
            height=height,
            width=width,
            resampling=Resampling.bilinear,
            warp_mem_limit=WARP_MEMORY_MB,
            **options,
        )

    def _read_warped(self, warped: WarpedVRT, cell: Window, shape: tuple[int, int] | None) -> Read:
        source = RasterioWindow(cell.col, cell.row, cell.width, cell.height)
        count, how = len(self.bands), {"window": source, **thinning(shape)}
        bands = np.asarray(warped.read(list(range(1, count + 1)), **how))
        valid = np.ones(bands.shape[1:], np.bool_)
        if bands.dtype.kind == "f":
            valid &= np.isfinite(bands).all(axis=0)
        if warped.count > count:
            valid &= warped.read(count + 1, **how) > 0
        return np.moveaxis(bands, 0, -1), valid
