"""Parts: the files that one raster is made of, and in what they must agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from affine import Affine
from pyproj import CRS
from rasterio.enums import ColorInterp, MaskFlags

from geochange.errors import InputError
from geochange.raster.acquisition import Acquired, acquired
from geochange.raster.sources.geographic import crs_of

Opener = Callable[[str], AbstractContextManager[Any]]
"""Opens a raster for reading, or raises InputError."""

READERS = 8
"""So many files are looked at side by side: of thousands, some lie on slow disks."""


@dataclass(frozen=True)
class Part:
    """What a file says of itself.

    opens: by which name GDAL opens it. crs: as WKT. alpha: the 1-based number of its alpha band, or
    None. masked: has a mask of its own.
    """

    path: str
    opens: str
    crs: str
    transform: Affine
    shape: tuple[int, int]
    dtypes: tuple[str, ...]
    nodata: float | None
    alpha: int | None
    masked: bool
    block_px: tuple[int, int]
    acquired: Acquired | None


def read_parts(paths: Sequence[str], opener: Opener) -> list[Part]:
    """What each file says, in order. Raises InputError for the first that is none."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda path: _read(path, opener), paths))


def _read(path: str, opener: Opener) -> Part:
    with opener(path) as dataset:
        crs = crs_of(path, dataset)
        if crs is None or dataset.count == 0:
            raise InputError(f"{path}: has no georeference; give it a CRS (gdal_edit -a_srs)")
        kinds = dataset.colorinterp
        return Part(
            path=path,
            # Of a raster that is made in memory itself, its name there.
            opens=dataset.name if dataset.name.startswith("/vsimem/") else path,
            crs=crs.to_wkt(),
            transform=dataset.transform,
            shape=dataset.shape,
            dtypes=tuple(dataset.dtypes),
            nodata=dataset.nodata,
            alpha=kinds.index(ColorInterp.alpha) + 1 if ColorInterp.alpha in kinds else None,
            masked=MaskFlags.per_dataset in dataset.mask_flag_enums[0],
            block_px=dataset.block_shapes[0],
            acquired=acquired({**dataset.tags(ns="IMAGERY"), **dataset.tags()}, path),
        )


def check_alike(parts: Sequence[Part], cure: str, bands: bool = True) -> None:
    """Refuse files that differ in CRS, type or nodata, naming two. Raises InputError.

    bands: whether they must have the same, too.
    """
    first = parts[0]
    for part in parts[1:]:
        for what, one, other in (
            ("bands", bands and len(first.dtypes), bands and len(part.dtypes)),
            ("type", first.dtypes[0], part.dtypes[0]),
            ("nodata", repr(first.nodata), repr(part.nodata)),
            ("alpha band", bands and first.alpha, bands and part.alpha),
        ):
            if one != other:
                raise InputError(f"{part.path}: {what} {other}, {first.path}: {one}; {cure}")
        if part.crs != first.crs and not CRS.from_wkt(part.crs).equals(CRS.from_wkt(first.crs)):
            other, one = (CRS.from_wkt(each.crs).name for each in (part, first))
            raise InputError(f"{part.path}: CRS {other}, {first.path}: {one}; {cure}")


def earliest(parts: Sequence[Part]) -> Acquired | None:
    """The first date of any part that says one."""
    return min(
        (part.acquired for part in parts if part.acquired), key=lambda a: a.when, default=None
    )
