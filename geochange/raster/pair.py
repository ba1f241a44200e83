"""RasterPair: the two rasters of a run on one grid."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from geochange.errors import InputError
from geochange.grid.common_ground import common_window
from geochange.grid.grid import Grid
from geochange.grid.tiling import Window
from geochange.raster.bands import Bands, check_bands
from geochange.raster.reader import RasterInfo, inspect_grid
from geochange.raster.warped_raster import WarpedRaster

T = TypeVar("T")


@dataclass(frozen=True)
class RasterPair:
    """Two dates on one grid, cropped to their common area."""

    before: WarpedRaster
    after: WarpedRaster
    grid: Grid

    def each(self, read: Callable[..., T], *more: Iterable[Any]) -> tuple[T, T]:
        """The results of `read` for both dates. They run in parallel, because GDAL releases the GIL.

        more: further arguments, each with a value per date. Raises the errors of `read`.
        """
        firsts, seconds = zip((self.before, self.after), *more, strict=True)
        # One of them in this thread, because PROJ opens its database anew in every new thread.
        with ThreadPoolExecutor(1) as pool:
            after = pool.submit(read, *seconds)
            before = read(*firsts)
        return before, after.result()

    def crop(self, window: Window) -> RasterPair:
        """Both dates cropped to a window of the grid."""
        grid = self.grid.crop(window)
        return RasterPair(
            _cropped(self.before, window, grid), _cropped(self.after, window, grid), grid
        )

    def coregistered(self, shift_px: tuple[float, float]) -> RasterPair:
        """The pair with the shift between its dates corrected.

        shift_px: (rows, cols) from an object in `before` to the same object in `after`. If exactly one
        date is resampled anyway, that date is moved; otherwise `after` is moved.
        """
        rows, cols = shift_px
        if self.before.offset_px is None and self.after.offset_px is not None:
            return replace(self, before=_shifted(self.before, (-rows, -cols)))
        return replace(self, after=_shifted(self.after, (rows, cols)))


def _shifted(date: WarpedRaster, shift_px: tuple[float, float]) -> WarpedRaster:
    rows, cols = date.shift_px
    return replace(date, offset_px=None, shift_px=(rows + shift_px[0], cols + shift_px[1]))


def _cropped(date: WarpedRaster, window: Window, grid: Grid) -> WarpedRaster:
    if date.offset_px is None:
        return replace(date, grid=grid)
    rows, cols = date.offset_px
    return replace(date, grid=grid, offset_px=(rows - window.row, cols - window.col))


def align_pair(before: RasterInfo, after: RasterInfo, grid: str, bands: Bands) -> RasterPair:
    """Put two rasters on one grid, cropped to their common area. No pixel is read.

    grid: "before", "after", or the path of a raster with the grid.
    Raises InputError if there is no common area, and OptionError for bands that do not exist.
    """
    named = {"before": before.grid, "after": after.grid}
    target = named[grid] if grid in named else inspect_grid(grid)
    window = common_window(target, [before.grid, after.grid])
    if window is None:
        raise InputError(_explain_disjoint(before, after))
    return on_grid(before, after, target.crop(window), bands)


def on_grid(before: RasterInfo, after: RasterInfo, grid: Grid, bands: Bands) -> RasterPair:
    """Put two rasters on a given grid, such as that of an earlier run.

    Raises InputError if they share no area on it, and OptionError for bands that do not exist.
    """
    if common_window(grid, [before.grid, after.grid]) is None:
        raise InputError(_explain_disjoint(before, after))
    check_bands(before, bands.before)
    check_bands(after, bands.after)
    return RasterPair(
        _on_grid(before, bands.before, grid), _on_grid(after, bands.after, grid), grid
    )


def _on_grid(info: RasterInfo, bands: tuple[int, ...], grid: Grid) -> WarpedRaster:
    return WarpedRaster(info, bands, grid, grid.same_lattice(info.grid))


def _explain_disjoint(before: RasterInfo, after: RasterInfo) -> str:
    def place(info: RasterInfo) -> str:
        west, south, east, north = info.grid.footprint().bounds
        return f"{info.grid.crs.name} {west:.6g} {south:.6g} {east:.6g} {north:.6g}"

    return (
        f"no common ground: {before.path} covers {place(before)}, {after.path} covers "
        f"{place(after)}; give two rasters of one place, each with its true CRS"
    )
