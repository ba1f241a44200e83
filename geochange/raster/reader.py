"""The only door to a raster: how it is opened, and what it is (`inspect`)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from geochange.errors import InputError, one_line
from geochange.files.names import refuse_unopenable
from geochange.grid.grid import Grid
from geochange.raster.access import retry
from geochange.raster.access.gdal_log import QUIET, understood
from geochange.raster.access.picture_files import open_picture_file
from geochange.raster.access.reading import reading_bytes, refuse_blocks
from geochange.raster.access.remote import HTTP, NOT_REMEMBERED, is_remote, may_pass, unless_set
from geochange.raster.acquisition import Acquisition, acquisition_of
from geochange.raster.band_info import BandInfo, describe_bands
from geochange.raster.georeference import read_grid
from geochange.raster.sources.band_stack import is_stack, make_stack
from geochange.raster.sources.mosaic import is_tileset, make_tileset
from geochange.raster.sources.subdatasets import refuse_container
from geochange.raster.sources.unopened import why_unopened
from geochange.raster.sources.virtual import VirtualFile

CACHE_MB = 128
"""GDAL's block cache. Its own default is a share of the machine's memory, which would make ours grow."""

PROVED_BANDS, PROVED_BYTES = 32, 2**28
"""So many bands are looked at whether their last pixel is there, unless blocks are as large."""

PROBABILITY_BAND = "change probability, 0 to 254 = 0 to 100 %"
"""What the band of a probability raster is called in the file."""


@dataclass(frozen=True)
class RasterInfo:
    """What a raster says of itself, read without its pixels.

    bands: every band in the order of the file, alpha too.
    overviews: the factors by which every band has one.
    files: every file it is made of, those behind a VRT too.
    block_px: (rows, cols) of the pieces its pixels are kept in, which are read whole or not at all.
    blurred: whether other pieces lie behind those (a mosaic's files, a mask's own blocks).
    acquired: when it was taken, if it says so.
    reading_bytes: what GDAL holds at most to read a pixel of a band; see `reading`.
    """

    path: str
    grid: Grid
    bands: tuple[BandInfo, ...]
    overviews: tuple[int, ...]
    files: tuple[str, ...] = ()
    block_px: tuple[int, int] = (256, 256)
    blurred: bool = False
    acquired: Acquisition | None = None
    reading_bytes: int = 0

    @property
    def alpha(self) -> int | None:
        """The 1-based number of the alpha band, the first of several; None where there is none."""
        return next((i for i, band in enumerate(self.bands, 1) if band.role == "alpha"), None)

    @property
    def data_bands(self) -> tuple[int, ...]:
        """The 1-based numbers of the bands that hold data, which alpha does not."""
        return tuple(i for i, band in enumerate(self.bands, 1) if band.role != "alpha")

    def chosen(self, bands: Iterable[int]) -> tuple[BandInfo, ...]:
        """Some bands by their 1-based numbers, in that order."""
        return tuple(self.bands[number - 1] for number in bands)

    def with_fills(self, fills: Mapping[int, tuple[float, ...]]) -> RasterInfo:
        """The same raster with values that stand for missing pixels, by 1-based band number."""
        bands = (replace(b, fills=fills.get(i, b.fills)) for i, b in enumerate(self.bands, 1))
        return replace(self, bands=tuple(bands))


STRICT = {
    # A JPEG that is cut off would end in grey, with no word said.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
    # GDAL's quick way through a PNG reads one that is cut off as other pixels, without an error.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": False,
}
"""What is damaged must not pass for pixels."""


def gdal_environment(cache_mb: int = CACHE_MB, **options: Any) -> rasterio.Env:
    """The GDAL settings every read and write of ours runs under, and `options` above them.

    Where the user's environment says otherwise, it has its way.
    """
    return rasterio.Env(
        GDAL_CACHEMAX=cache_mb * 2**20, CPL_DEBUG=False, **unless_set({**HTTP, **STRICT, **options})
    )


@contextmanager
def opened(path: str, **options: Any) -> Iterator[Any]:
    """Open a raster for reading; whatever GDAL says becomes one line with its cure.

    A server that does not answer is asked again, after a pause. options: GDAL's, above ours.
    Raises InputError.
    """
    if is_remote(path):
        # No server need list its folder; a mask or georeference in a file of its own is not found.
        options = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", **options}
    with gdal_environment(**options), open_raster(path) as dataset:
        try:
            yield dataset
        except CPLE_BaseError as error:  # where rasterio asks an open file about its bands
            said = one_line(error)[:200]
            raise InputError(f"{path}: damaged ({said}); fetch or export it again") from error


def open_raster(path: str) -> Any:
    """Open a raster under the settings of `gdal_environment`; see `opened`. Raises InputError."""
    if not (path.startswith("<") or is_stack(path)):  # the text of a VRT, or several names
        refuse_unopenable(path, InputError)
    name = _gdal_name(path)
    try:
        return _open(name)
    except RasterioError as error:
        fault: RasterioError = error
    if may_pass(path, fault):
        for _ in retry.pauses():
            try:
                with rasterio.Env(**NOT_REMEMBERED):
                    return _open(name)
            except RasterioError as error:
                fault = error
    raise InputError(why_unopened(path, fault)) from fault


def _open(name: str) -> Any:
    # rasterio casts a nodata value that its type cannot hold.
    with np.errstate(over="ignore"), understood():
        # The text of a virtual raster is our own, though it names what lies on a server.
        is_name = not name.startswith("<")
        return open_picture_file(name) if is_name and is_remote(name) else rasterio.open(name)


_made: dict[str, VirtualFile] = {}
"""By name: the rasters of several files that this process has made."""


def _gdal_name(path: str) -> str:
    """How GDAL opens a raster in this process: by its name, or what is made of several files."""
    maker = make_stack if is_stack(path) else make_tileset if is_tileset(path) else None
    if maker is None:
        return path
    made = _made.get(path)
    if made is None:
        made = _made.setdefault(path, maker(path, opened))
    return made.name


def forget(path: str) -> None:
    """Make the raster of several files anew when it is opened next."""
    _made.pop(path, None)


def inspect(path: str | os.PathLike[str]) -> RasterInfo:
    """Read what a raster says of itself, and prove that its last pixels are there.

    Raises InputError if it is no raster, has no georeference, or is cut off.
    """
    name = os.fspath(path)
    forget(name)  # its files may be others by now
    # What rasterio warns of, a missing georeference, is refused here in our own words. And what
    # an earlier run in this process saw on a server may have changed since.
    with QUIET, retry.Handle(lambda: opened(name, **NOT_REMEMBERED)) as handle:
        try:
            with understood():
                info = _describe(name, handle.dataset)
        except RasterioError as error:
            raise InputError(why_unopened(name, error)) from error
        refuse_blocks(name, info.block_px, info.reading_bytes)
        _prove_complete(info, handle)
    return info


def inspect_grid(path: str) -> Grid:
    """Read where a raster's pixels lie, whatever they hold; a palette too. Raises InputError."""
    forget(path)
    with QUIET, opened(path, **NOT_REMEMBERED) as dataset:
        refuse_container(path, dataset)
        return read_grid(path, dataset)


def _describe(path: str, dataset: Any) -> RasterInfo:
    refuse_container(path, dataset)
    bands = describe_bands(dataset)
    _refuse_unusable(path, [band for band in bands if band.role != "alpha"])
    return RasterInfo(
        path=path,
        grid=read_grid(path, dataset),
        bands=bands,
        overviews=_overviews(dataset),
        # Of many files, which travel with every task, the name alone; see `identity`.
        files=() if path in _made else tuple(dataset.files),
        block_px=_block_px(dataset),
        blurred=dataset.driver == "VRT" or any(band.mask is not None for band in bands),
        acquired=_made[path].acquired
        if path in _made
        else acquisition_of({**dataset.tags(ns="IMAGERY"), **dataset.tags()}, path),
        reading_bytes=_made[path].reading_bytes if path in _made else reading_bytes(dataset),
    )


def _refuse_unusable(path: str, bands: list[BandInfo]) -> None:
    """Refuse a raster none of whose bands can be compared. Raises InputError."""
    whys = [why_unusable(band) for band in bands]
    if not whys:
        raise InputError(f"{path}: holds nothing but alpha; export its colours")
    if all(whys):
        raise InputError(f"{path}: {whys[0]}")


def why_unusable(band: BandInfo) -> str | None:
    """Why the numbers of a band cannot be compared, with the cure; None where they can."""
    if band.role == "palette":
        return (
            "holds numbers of a palette, not colours; expand it first (gdal_translate -expand rgba)"
        )
    if band.dtype.kind == "c":
        return "holds complex numbers; export its amplitude first"
    return None


def _overviews(dataset: Any) -> tuple[int, ...]:
    of_bands = [set(dataset.overviews(number)) for number in dataset.indexes]
    return tuple(sorted(set.intersection(*of_bands)))


def _block_px(dataset: Any) -> tuple[int, int]:
    """The smallest pieces that are whole blocks of every band."""
    rows, cols = (math.lcm(*lengths) for lengths in zip(*dataset.block_shapes, strict=True))
    return min(rows, dataset.height), min(cols, dataset.width)


def _prove_complete(info: RasterInfo, handle: retry.Handle) -> None:
    """Read the first and the last pixel: a download that was cut off lacks the last.

    Of huge blocks none is unpacked for that: what is wrong with them is said when they are read.
    """
    if info.reading_bytes > PROVED_BYTES:
        return
    height, width = info.grid.shape
    for row, col in ((0, 0), (height - 1, width - 1)):
        pixel = RasterioWindow(col, row, 1, 1)
        # A server may be well again in a moment; what is wrong with a file stays wrong.
        pauses_s = retry.PAUSES_S if is_remote(info.path) else ()
        fault = retry.retry_read(handle, partial(_read_pixel, pixel), pauses_s)
        if isinstance(fault, RasterioError):
            raise InputError(
                f"{info.path}: damaged or cut off, pixel (row {row}, col {col}) cannot be read; "
                "fetch it again"
            ) from fault


def _read_pixel(pixel: RasterioWindow, dataset: Any) -> None:
    step, dtypes = -(-dataset.count // PROVED_BANDS), dataset.dtypes
    bands = sorted({*range(1, dataset.count + 1, step), dataset.count})
    # At once, for rasterio looks at all bands for each read; but only those of one type.
    for dtype in {dtypes[band - 1] for band in bands}:
        dataset.read([band for band in bands if dtypes[band - 1] == dtype], window=pixel)
