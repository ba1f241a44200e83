"""The only door to a raster: how it is opened, and what it is (`inspect`)."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from geochange.errors import InputError
from geochange.files.names import refuse_unopenable
from geochange.grid.grid import Grid
from geochange.raster import retry
from geochange.raster.acquisition import Acquired, acquired
from geochange.raster.gdal_log import QUIET, understood
from geochange.raster.remote import HTTP, NOT_REMEMBERED, is_remote, may_pass, unless_set
from geochange.raster.sources.band_stack import is_stack, make_stack
from geochange.raster.sources.mosaic import is_tileset, make_tileset
from geochange.raster.sources.virtual import Made

CACHE_MB = 128
"""GDAL's block cache. Its own default is a share of the machine's memory, which would make ours grow."""

PROBABILITY_BAND = "change probability, 0 to 254 = 0 to 100 %"
"""What the band of a probability raster is called in the file."""


@dataclass(frozen=True)
class RasterInfo:
    """What a raster says of itself, read without its pixels.

    bands: how many bands hold data; an alpha band is not counted.
    alpha: the 1-based number of the alpha band, or None.
    masked: whether it carries a mask of its own (inside the file or as .msk).
    files: every file it is made of, those behind a VRT too.
    block_px: (rows, cols) of the pieces its pixels are kept in, which are read whole or not at all.
    blurred: whether other pieces lie behind those (a mosaic's files, a mask's own blocks).
    acquired: when it was taken, if it says so.
    """

    path: str
    grid: Grid
    dtype: np.dtype[Any]
    bands: int
    nodata: float | None
    alpha: int | None
    masked: bool
    overviews: tuple[int, ...]
    files: tuple[str, ...] = ()
    block_px: tuple[int, int] = (256, 256)
    blurred: bool = False
    acquired: Acquired | None = None

    @property
    def sentinel(self) -> float | None:
        """The nodata value, if one such value in one band is enough to call the pixel missing.

        An unsigned 0 or 255 is also an honest dark or bright value, so there every band must hold
        it; -9999 or NaN never is.
        """
        return None if self.dtype.kind == "u" else self.nodata


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
        yield dataset


def open_raster(path: str) -> Any:
    """Open a raster under the settings of `gdal_environment`; see `opened`. Raises InputError."""
    refuse_unopenable(path, InputError)
    name = _gdal_name(path)
    try:
        with understood():
            return rasterio.open(name)
    except RasterioError as error:
        fault: RasterioError = error
    if may_pass(path, fault):
        for _ in retry.pauses():
            try:
                with rasterio.Env(**NOT_REMEMBERED), understood():
                    return rasterio.open(name)
            except RasterioError as error:
                fault = error
    raise InputError(_why_unreadable(path, fault)) from fault


_made: dict[str, Made] = {}
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


def _why_unreadable(path: str, error: Exception) -> str:
    local = Path(path)
    if "://" not in path and not path.startswith("/vsi") and ":" not in path:
        if not local.exists():
            return f"{path}: no such file; check the path"
        if local.is_dir():
            return f"{path}: is a folder; name the raster in it"
        if local.is_file() and local.stat().st_size == 0:
            return f"{path}: the file is empty; fetch or export it again"
        if local.is_file() and not os.access(local, os.R_OK):
            return f"{path}: no permission to read it; check its access rights"
        return f"{path}: not a raster GDAL can read; give a GeoTIFF or another georeferenced raster"
    reason = " ".join(str(error).split())
    tried = f", tried {retry.TRIES} times" if may_pass(path, error) else ""
    return f"{path}: cannot be opened ({reason}{tried}); check the address and your access to it"


def inspect(path: str | os.PathLike[str]) -> RasterInfo:
    """Read what a raster says of itself, and prove that its last pixels are there.

    Raises InputError if it is no raster, has no georeference, or is cut off.
    """
    name = os.fspath(path)
    _made.pop(name, None)  # its files may be others by now
    # What rasterio warns of, a missing georeference, is refused here in our own words. And what
    # an earlier run in this process saw on a server may have changed since.
    with QUIET, retry.Handle(lambda: opened(name, **NOT_REMEMBERED)) as handle:
        try:
            with understood():
                info = _describe(name, handle.dataset)
        except RasterioError as error:
            raise InputError(_why_unreadable(name, error)) from error
        _prove_complete(info, handle)
    return info


def _describe(path: str, dataset: Any) -> RasterInfo:
    if dataset.count == 0:
        raise InputError(
            f"{path}: holds no band of its own; name one of its {len(dataset.subdatasets)} "
            "subdatasets as GDAL writes them"
        )
    interpretations = dataset.colorinterp
    alphas = [i + 1 for i, kind in enumerate(interpretations) if kind == ColorInterp.alpha]
    dtype = np.dtype(dataset.dtypes[0])
    if interpretations[0] == ColorInterp.palette:
        raise InputError(
            f"{path}: holds numbers of a palette, not colours; expand it first "
            "(gdal_translate -expand rgb)"
        )
    if dtype.kind == "c":
        raise InputError(f"{path}: holds complex numbers; export its amplitude first")
    masked = not alphas and MaskFlags.per_dataset in dataset.mask_flag_enums[0]
    return RasterInfo(
        path=path,
        grid=read_grid(path, dataset),
        dtype=dtype,
        bands=dataset.count - len(alphas),
        nodata=dataset.nodata,
        alpha=alphas[0] if alphas else None,
        masked=masked,
        overviews=tuple(dataset.overviews(1)),
        # Of many files, which travel with every task, the name alone; see `identity`.
        files=() if path in _made else tuple(dataset.files),
        block_px=_block_px(dataset),
        blurred=dataset.driver == "VRT" or masked,
        acquired=_made[path].acquired
        if path in _made
        else acquired({**dataset.tags(ns="IMAGERY"), **dataset.tags()}, path),
    )


def _block_px(dataset: Any) -> tuple[int, int]:
    """The smallest pieces that are whole blocks of every band."""
    rows, cols = (math.lcm(*lengths) for lengths in zip(*dataset.block_shapes, strict=True))
    return min(rows, dataset.height), min(cols, dataset.width)


def read_grid(path: str, dataset: Any) -> Grid:
    """Where the pixels of an open raster lie. Raises InputError."""
    if dataset.crs is None or dataset.transform.is_identity:
        found = "ground control points only" if dataset.gcps[0] else "no georeference"
        raise InputError(
            f"{path}: has {found}; give it a CRS and a transform first "
            "(QGIS: Raster > Georeferencer, or gdalwarp -t_srs)"
        )
    try:
        crs = CRS.from_wkt(dataset.crs.to_wkt(version="WKT2_2019"))
    except (CRSError, RasterioError) as error:
        raise InputError(
            f"{path}: its CRS is not understood; assign one (gdal_edit -a_srs)"
        ) from error
    if crs.is_engineering or crs.geodetic_crs is None:
        raise InputError(
            f"{path}: its CRS ({crs.name}) is not tied to the Earth; assign a real one "
            "(gdal_edit -a_srs)"
        )
    if abs(dataset.transform.determinant) == 0:
        raise InputError(
            f"{path}: its transform gives pixels no area; repair it (gdal_edit -a_ullr)"
        )
    return Grid(crs, dataset.transform, (dataset.height, dataset.width))


def _prove_complete(info: RasterInfo, handle: retry.Handle) -> None:
    """Read the first and the last pixel: a download that was cut off lacks the last."""
    height, width = info.grid.shape
    for row, col in ((0, 0), (height - 1, width - 1)):
        pixel = RasterioWindow(col, row, 1, 1)
        # A server may be well again in a moment; what is wrong with a file stays wrong.
        pauses_s = retry.PAUSES_S if is_remote(info.path) else ()
        fault = retry.insist(handle, partial(_read_pixel, pixel), pauses_s)
        if isinstance(fault, RasterioError):
            raise InputError(
                f"{info.path}: damaged or cut off, pixel (row {row}, col {col}) cannot be read; "
                "fetch it again"
            ) from fault


def _read_pixel(pixel: RasterioWindow, dataset: Any) -> None:
    dataset.read(window=pixel)
