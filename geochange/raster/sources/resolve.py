"""Resolves names that users give: paths, archives, products, several files, STAC items.

An existing file of exactly that name always has priority.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
from dataclasses import replace
from pathlib import Path

from geochange.errors import InputError
from geochange.files.archives import (
    UNSUPPORTED_ARCHIVES,
    Member,
    gdal_name,
    kind_of,
    list_names,
    members_of,
    split,
)
from geochange.files.file_names import expand_user
from geochange.raster.access.gdal_log import IGNORE_GEOREFERENCE_WARNINGS
from geochange.raster.reader import RasterInfo, inspect_raster, opened
from geochange.raster.sources.band_stack import STACK_SEPARATOR, is_stack, stack_files
from geochange.raster.sources.stac import is_item, resolve_item
from geochange.raster.sources.subdatasets import colours_of_product
from geochange.raster.sources.tile_set import is_tileset

logger = logging.getLogger(__name__)

PathLike = str | os.PathLike[str]

RASTERS = (
    *(".tif", ".tiff", ".gtiff", ".cog", ".vrt", ".img", ".jp2", ".j2k", ".nc", ".nc4", ".h5"),
    *(".hdf", ".hdf5", ".he5", ".grib", ".grb", ".grb2", ".asc", ".bil", ".bip", ".bsq", ".ntf"),
    *(".dem", ".hgt", ".ers"),
)
"""Suffixes of rasters in an archive. PICTURES count only if there is none of these."""

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")

PRODUCT = re.compile(r"(^|/)[^/]+\.SAFE/MTD_MSI[^/]*\.xml$")
"""The file with which GDAL opens a Sentinel-2 product."""

# One letter is a drive of Windows.
_DRIVER = re.compile(r"^[A-Za-z][A-Za-z0-9_]+:(?!//)(.+)$")


def source_of(path: PathLike) -> str:
    """The GDAL name of a raster, valid in every working folder.

    An archive stands for the raster in it, a Sentinel-2 product for its bands of 10 m. Raises InputError
    if an archive does not hold exactly one raster.
    """
    text = os.fspath(path)
    if is_stack(text):
        return STACK_SEPARATOR.join(source_of(part) for part in stack_files(text))
    name = gdal_name(text)
    if os.path.exists(name):
        return _colours_in(_raster_in(Path(name)))
    driver = _DRIVER.match(name)
    if driver is not None:
        return name[: driver.start(1)] + _absolute(driver[1])
    return str(expand_user(text).absolute()) if is_tileset(text) else name


def inspect_source(path: PathLike) -> RasterInfo:
    """The metadata of a raster, of several rasters as one, or of a STAC item. Raises InputError."""
    text = os.fspath(path)
    if not is_item(text):
        return inspect_raster(source_of(text))
    found = resolve_item(text)
    info = inspect_raster(found.path)
    return replace(info, acquired=found.acquired or info.acquired)


def _colours_in(name: str) -> str:
    """The part of a Sentinel-2 product that is compared if none is named; other names unchanged."""
    if not PRODUCT.search(name.replace(os.sep, "/")) or _DRIVER.match(name):
        return name
    with IGNORE_GEOREFERENCE_WARNINGS, opened(name) as dataset:
        part = colours_of_product(dataset)
    if part is None:
        return name
    logger.info("%s: its bands of 10 m are taken (%s)", name, part)
    return part


def _absolute(inner: str) -> str:
    """The part after the name of a GDAL driver, as in NETCDF:"a.nc":red, with an absolute path."""
    words = inner.split(":")
    spans = [(i, j) for i in range(len(words)) for j in range(i + 1, len(words) + 1)]
    for first, stop in sorted(spans, key=lambda span: span[0] - span[1]):
        part = ":".join(words[first:stop])
        bare = part.strip('"')
        if os.path.exists(bare) or split(bare) is not None:
            return ":".join([*words[:first], part.replace(bare, gdal_name(bare)), *words[stop:]])
    return inner


def _raster_in(path: Path) -> str:
    """The raster of a file or folder: itself, unless it is an archive or a product."""
    if path.is_dir():
        headers = sorted(path.glob("MTD_MSI*.xml"))
        return str(headers[0] if headers else path)
    if path.name.lower().endswith(UNSUPPORTED_ARCHIVES):
        raise InputError(f"{path}: is an archive that GDAL does not read; unpack it first")
    kind = kind_of(path)
    if kind is None:
        return str(path)
    if kind == "gzip":
        return Member(kind, path, "").gdal_name
    return _only_raster(path, kind)


def _only_raster(archive: Path, kind: str) -> str:
    names = members_of(archive)
    found = _rasters_among(names)
    if len(found) == 1:
        return Member(kind, archive, found[0]).gdal_name
    if not found and archive.suffix.lower() == ".kmz":
        return str(archive)  # GDAL reads a KMZ with overlays as a whole
    if not found:
        raise InputError(f"{archive}: holds no raster, only {list_names(list(names)) or 'nothing'}")
    choice = [shlex.quote(Member(kind, archive, name).gdal_name) for name in found]
    raise InputError(
        f"{archive}: holds {len(found)} rasters; name one, or several with {STACK_SEPARATOR!r} between: "
        f"{list_names(choice)}"
    )


def _rasters_among(names: tuple[str, ...]) -> list[str]:
    """The products among the names, else the rasters, else the images."""
    products = [name for name in names if PRODUCT.search(name)]
    if products:
        return products
    rasters = [name for name in names if name.lower().endswith(RASTERS)]
    return rasters or [name for name in names if name.lower().endswith(PICTURES)]
