"""The only door to a raster: what it is (`inspect`) and its pixels (`RasterReader`)."""

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
from numpy.typing import NDArray
from pyproj import CRS
from pyproj.exceptions import CRSError
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.errors import RasterioError
from rasterio.windows import Window as RasterioWindow

from geochange.chip import Pixels
from geochange.errors import InputError
from geochange.geo import patience
from geochange.geo.acquired import Acquired, acquired
from geochange.geo.grid import Grid
from geochange.geo.made import Made
from geochange.geo.quiet import QUIET
from geochange.geo.remote import HTTP, NOT_REMEMBERED, is_remote, may_pass, unless_set
from geochange.geo.stack import is_stack, make_stack
from geochange.geo.tileset import is_tileset, make_tileset
from geochange.geo.tiling import Window

CACHE_MB = 128
"""GDAL's block cache. Its own default is a share of the machine's memory, which would make ours grow."""

PROBABILITY_BAND = "change probability, 0 to 254 = 0 to 100 %"
"""What the band of a probability raster is called in the file."""

Valid = NDArray[np.bool_]


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
    with gdal_environment(**options), _open(path) as dataset:
        yield dataset


def _open(path: str) -> Any:
    name = _gdal_name(path)
    try:
        return rasterio.open(name)
    except RasterioError as error:
        fault: RasterioError = error
    if may_pass(path, fault):
        for _ in patience.pauses():
            try:
                with rasterio.Env(**NOT_REMEMBERED):
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
    tried = f", tried {patience.TRIES} times" if may_pass(path, error) else ""
    return f"{path}: cannot be opened ({reason}{tried}); check the address and your access to it"


def inspect(path: str | os.PathLike[str]) -> RasterInfo:
    """Read what a raster says of itself, and prove that its last pixels are there.

    Raises InputError if it is no raster, has no georeference, or is cut off.
    """
    name = os.fspath(path)
    _made.pop(name, None)  # its files may be others by now
    # What rasterio warns of, a missing georeference, is refused here in our own words. And what
    # an earlier run in this process saw on a server may have changed since.
    with QUIET, patience.Handle(lambda: opened(name, **NOT_REMEMBERED)) as handle:
        info = _describe(name, handle.dataset)
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
        grid=_read_grid(path, dataset),
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


def _read_grid(path: str, dataset: Any) -> Grid:
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


def _prove_complete(info: RasterInfo, handle: patience.Handle) -> None:
    """Read the first and the last pixel: a download that was cut off lacks the last."""
    height, width = info.grid.shape
    for row, col in ((0, 0), (height - 1, width - 1)):
        pixel = RasterioWindow(col, row, 1, 1)
        # A server may be well again in a moment; what is wrong with a file stays wrong.
        pauses_s = patience.PAUSES_S if is_remote(info.path) else ()
        fault = patience.insist(handle, partial(_read_pixel, pixel), pauses_s)
        if isinstance(fault, RasterioError):
            raise InputError(
                f"{info.path}: damaged or cut off, pixel (row {row}, col {col}) cannot be read; "
                "fetch it again"
            ) from fault


def _read_pixel(pixel: RasterioWindow, dataset: Any) -> None:
    dataset.read(window=pixel)


def is_ours(path: Path) -> bool:
    """Whether a file is a probability raster that a run wrote, and may be replaced by another."""
    try:
        with opened(str(path)) as dataset:
            return bool(dataset.descriptions and dataset.descriptions[0] == PROBABILITY_BAND)
    except InputError:
        return False


def read_window(
    dataset: Any, info: RasterInfo, bands: tuple[int, ...], window: Window
) -> tuple[Pixels, Valid]:
    """Pixels (height, width, band) and validity (height, width) of a window inside the dataset."""
    source = RasterioWindow(window.col, window.row, window.width, window.height)
    pixels = dataset.read(list(bands), window=source)
    valid = validity(pixels, info)
    if info.alpha is not None and info.alpha not in bands:
        valid &= dataset.read(info.alpha, window=source) > 0
    elif info.masked:
        valid &= dataset.read_masks(bands[0], window=source) > 0
    return np.moveaxis(pixels, 0, -1), valid


def validity(pixels: NDArray[Any], info: RasterInfo) -> Valid:
    """Where (band, height, width) pixels hold data, by nodata value and NaN."""
    valid = np.ones(pixels.shape[1:], dtype=np.bool_)
    if pixels.dtype.kind == "f":
        valid &= np.isfinite(pixels).all(axis=0)
    if info.nodata is not None and not np.isnan(info.nodata):
        missing = pixels == info.nodata
        valid &= ~(missing.all(axis=0) if info.sentinel is None else missing.any(axis=0))
    return valid
