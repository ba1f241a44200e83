"""Opens rasters (`opened`) and reads their metadata (`inspect_raster`). All rasters are opened here."""

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
from geochange.files.file_names import refuse_invalid_name
from geochange.grid.grid import Grid
from geochange.raster.access import retry
from geochange.raster.access.block_memory import reading_bytes, refuse_large_blocks
from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS, as_rasterio_errors
from geochange.raster.access.remote import (
    HTTP_OPTIONS,
    NO_NEGATIVE_CACHE,
    endpoint_options,
    is_remote,
    is_transient,
    without_user_settings,
)
from geochange.raster.access.self_contained_files import open_picture_file
from geochange.raster.acquisition import Acquisition, dataset_acquisition
from geochange.raster.band_metadata import (
    UNKNOWN_ORIGIN,
    BandInfo,
    Origin,
    describe_bands,
    origin_of,
)
from geochange.raster.georeference import read_grid, warn_far_from_use
from geochange.raster.sources.band_stack import is_stack, make_stack
from geochange.raster.sources.open_failures import explain_open_failure
from geochange.raster.sources.subdatasets import refuse_container
from geochange.raster.sources.tile_set import is_tileset, make_tileset
from geochange.raster.sources.virtual_file import VirtualFile

CACHE_MB = 128
"""GDAL's block cache. Its default is a share of the machine's memory, which is too much here."""

PROVED_BANDS, PROVED_BYTES = 32, 2**28
"""The number of bands whose last pixel is read as a test, and the largest block for this test."""

PROBABILITY_BAND = "change probability, 0 to 254 = 0 to 100 %"
"""The description of the band in a probability raster."""


@dataclass(frozen=True)
class RasterInfo:
    """The metadata of a raster, without its pixels.

    bands: all bands in the order of the file, also alpha.
    overviews: the factors of overviews that all bands have.
    files: all files of the raster, also those behind a VRT.
    block_px: (rows, cols) of its blocks. A block is readable or unreadable as a whole.
    blurred: whether other blocks lie behind these (files of a mosaic, blocks of a mask).
    acquired: the acquisition date, if known.
    reading_bytes: the most memory that GDAL needs to read one pixel of a band; see `block_memory`.
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
    origin: Origin = UNKNOWN_ORIGIN

    @property
    def alpha(self) -> int | None:
        """The 1-based number of the first alpha band; None without one."""
        return next((i for i, band in enumerate(self.bands, 1) if band.role == "alpha"), None)

    @property
    def data_bands(self) -> tuple[int, ...]:
        """The 1-based numbers of all bands except alpha."""
        return tuple(i for i, band in enumerate(self.bands, 1) if band.role != "alpha")

    def chosen(self, bands: Iterable[int]) -> tuple[BandInfo, ...]:
        """Bands by their 1-based numbers, in that order."""
        return tuple(self.bands[number - 1] for number in bands)

    def with_fills(self, fills: Mapping[int, tuple[float, ...]]) -> RasterInfo:
        """The same raster with fills (values that mark missing pixels), by 1-based band number."""
        bands = (replace(b, fills=fills.get(i, b.fills)) for i, b in enumerate(self.bands, 1))
        return replace(self, bands=tuple(bands))


STRICT_OPTIONS = {
    # Otherwise a truncated JPEG ends in grey without an error.
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,
    # GDAL's fast PNG reader returns wrong pixels for a truncated file, without an error.
    "GDAL_PNG_WHOLE_IMAGE_OPTIM": False,
}
"""Settings with which damaged files cause an error instead of wrong pixels."""


def gdal_environment(cache_mb: int = CACHE_MB, **options: Any) -> rasterio.Env:
    """The GDAL settings for all reads and writes, with additional `options`.

    The user's environment variables have priority.
    """
    return rasterio.Env(
        GDAL_CACHEMAX=cache_mb * 2**20,
        CPL_DEBUG=False,
        **without_user_settings(
            {**HTTP_OPTIONS, **endpoint_options(), **STRICT_OPTIONS, **options}
        ),
    )


@contextmanager
def opened(path: str, **options: Any) -> Iterator[Any]:
    """Open a raster for reading. Errors of GDAL become one line with a cure.

    A server that does not answer is asked again after a pause. options: additional GDAL settings.
    Raises InputError.
    """
    if is_remote(path):
        # Servers need not list the folder. So a mask or a georeference in its own file is not found.
        options = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", **options}
    with gdal_environment(**options), open_raster(path) as dataset:
        try:
            yield dataset
        except CPLE_BaseError as error:  # where rasterio asks an open file about its bands
            said = one_line(error)[:200]
            raise InputError(f"{path}: damaged ({said}); fetch or export it again") from error


def open_raster(path: str) -> Any:
    """Open a raster within `gdal_environment`; see `opened`. Raises InputError."""
    if not (path.startswith("<") or is_stack(path)):  # the text of a VRT, or several names
        refuse_invalid_name(path, InputError)
    name = _gdal_name(path)
    try:
        return _open(name)
    except RasterioError as error:
        fault: RasterioError = error
    if is_transient(path, fault):
        for _ in retry.retry_pauses():
            try:
                with rasterio.Env(**NO_NEGATIVE_CACHE):
                    return _open(name)
            except RasterioError as error:
                fault = error
    raise InputError(explain_open_failure(path, fault)) from fault


def _open(name: str) -> Any:
    # rasterio casts nodata values that the dtype cannot hold.
    with np.errstate(over="ignore"), as_rasterio_errors():
        # geochange wrote the text of a virtual raster, so it is safe although it may name URLs.
        is_name = not name.startswith("<")
        return open_picture_file(name) if is_name and is_remote(name) else rasterio.open(name)


_virtual_files: dict[str, VirtualFile] = {}
"""Virtual rasters of several files that this process has created, by name."""


def _gdal_name(path: str) -> str:
    """The name under which GDAL opens a raster in this process. It creates virtual rasters."""
    maker = make_stack if is_stack(path) else make_tileset if is_tileset(path) else None
    if maker is None:
        return path
    made = _virtual_files.get(path)
    if made is None:
        made = _virtual_files.setdefault(path, maker(path, opened))
    return made.name


def forget_virtual(path: str) -> None:
    """Forget the virtual raster of a name, so that it is created anew."""
    _virtual_files.pop(path, None)


def inspect_raster(path: str | os.PathLike[str]) -> RasterInfo:
    """Read the metadata of a raster, and test that its first and last pixels are readable.

    Raises InputError if it is not a raster, has no georeference, or is truncated.
    """
    name = os.fspath(path)
    forget_virtual(name)  # its files may have changed
    # geochange refuses a missing georeference itself, so rasterio's warning is not needed. Files
    # on servers are not taken from GDAL's cache, because they may have changed.
    with (
        IGNORE_GEOREFERENCE_WARNINGS,
        retry.Handle(lambda: opened(name, **NO_NEGATIVE_CACHE)) as handle,
    ):
        try:
            with as_rasterio_errors():
                info = _describe(name, handle.dataset)
        except RasterioError as error:
            raise InputError(explain_open_failure(name, error)) from error
        warn_far_from_use(name, info.grid)
        refuse_large_blocks(name, info.block_px, info.reading_bytes)
        _check_complete(info, handle)
    return info


def inspect_grid(path: str) -> Grid:
    """The grid of any raster, also of one with a palette. Raises InputError."""
    forget_virtual(path)
    with IGNORE_GEOREFERENCE_WARNINGS, opened(path, **NO_NEGATIVE_CACHE) as dataset:
        refuse_container(path, dataset)
        return read_grid(path, dataset)


def _describe(path: str, dataset: Any) -> RasterInfo:
    refuse_container(path, dataset)
    bands = describe_bands(dataset)
    _refuse_unusable(path, [band for band in bands if band.role != "alpha"])
    made = _virtual_files.get(path)
    return RasterInfo(
        path=path,
        grid=read_grid(path, dataset),
        bands=bands,
        overviews=_overviews(dataset),
        # The list of files is left out for mosaics: it would be sent with every task.
        files=() if made else tuple(dataset.files),
        block_px=_block_px(dataset),
        blurred=dataset.driver == "VRT" or any(band.mask is not None for band in bands),
        acquired=made.acquired if made else dataset_acquisition(dataset, path),
        reading_bytes=made.reading_bytes if made else reading_bytes(dataset),
        origin=origin_of(dataset),
    )


def _refuse_unusable(path: str, bands: list[BandInfo]) -> None:
    """Refuse a raster without any band that can be compared. Raises InputError."""
    whys = [explain_unusable_band(band) for band in bands]
    if not whys:
        raise InputError(f"{path}: holds only alpha; export its colours")
    if all(whys):
        raise InputError(f"{path}: {whys[0]}")


def explain_unusable_band(band: BandInfo) -> str | None:
    """Why the values of a band cannot be compared, with a cure; None if they can."""
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
    """The smallest size that is a multiple of the blocks of all bands."""
    rows, cols = (math.lcm(*lengths) for lengths in zip(*dataset.block_shapes, strict=True))
    return min(rows, dataset.height), min(cols, dataset.width)


def _check_complete(info: RasterInfo, handle: retry.Handle) -> None:
    """Read the first and the last pixel. A truncated download lacks the last one.

    Huge blocks are not read here; their errors are reported when a run reads them.
    """
    if info.reading_bytes > PROVED_BYTES:
        return
    height, width = info.grid.shape
    for row, col in ((0, 0), (height - 1, width - 1)):
        pixel = RasterioWindow(col, row, 1, 1)
        # A server may recover in a moment. A damaged file does not.
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
    # One read for all bands of a dtype, because rasterio looks at all bands in each read.
    for dtype in {dtypes[band - 1] for band in bands}:
        dataset.read([band for band in bands if dtypes[band - 1] == dtype], window=pixel)
