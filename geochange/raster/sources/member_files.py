"""Members: the files of one raster, and the properties that they must share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from affine import Affine
from pyproj import CRS

from geochange.errors import InputError
from geochange.raster.access.block_memory import reading_bytes
from geochange.raster.acquisition import Acquisition, dataset_acquisition
from geochange.raster.band_metadata import (
    UNKNOWN_ORIGIN,
    BandInfo,
    Origin,
    describe_bands,
    origin_of,
)
from geochange.raster.gdal_cures import CRS_OPTION, edit_command
from geochange.raster.georeference import refuse_flat_transform
from geochange.raster.sources.cf_coordinates import crs_of_axes

Opener = Callable[[str], AbstractContextManager[Any]]
"""Opens a raster for reading, or raises InputError."""

READERS = 8
"""The number of files that are opened in parallel, because some may be on slow disks."""


@dataclass(frozen=True)
class Member:
    """The metadata of a file.

    opens: its GDAL name. crs: as WKT. bands: all bands, also alpha.
    reading_bytes: the most memory that GDAL needs to read one pixel of a band.
    """

    path: str
    opens: str
    crs: str
    transform: Affine
    shape: tuple[int, int]
    bands: tuple[BandInfo, ...]
    block_px: tuple[int, int]
    acquired: Acquisition | None
    reading_bytes: int = 0
    origin: Origin = UNKNOWN_ORIGIN

    @property
    def alpha(self) -> int | None:
        """The 1-based number of its first alpha band; None without one."""
        return next((i for i, band in enumerate(self.bands, 1) if band.role == "alpha"), None)


def read_members(paths: Sequence[str], opener: Opener) -> list[Member]:
    """The metadata of each file, in order. Raises InputError for the first that is not a raster."""
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda path: _read(path, opener), paths))


def _read(path: str, opener: Opener) -> Member:
    with opener(path) as dataset:
        crs = crs_of_axes(path, dataset)
        if crs is None or dataset.count == 0:
            cure = edit_command(path, dataset.driver, CRS_OPTION)
            raise InputError(f"{path}: has no georeference; give it a CRS ({cure})")
        refuse_flat_transform(path, dataset)
        return Member(
            path=path,
            # A file that is itself created in memory has another name there.
            opens=dataset.name if dataset.name.startswith("/vsimem/") else path,
            crs=crs.to_wkt(),
            transform=dataset.transform,
            shape=dataset.shape,
            bands=describe_bands(dataset),
            block_px=dataset.block_shapes[0],
            acquired=dataset_acquisition(dataset, path),
            reading_bytes=reading_bytes(dataset),
            origin=origin_of(dataset),
        )


def check_same_crs(parts: Sequence[Member], cure: str) -> None:
    """Refuse files of different CRSs. Raises InputError, which names two of them."""
    first = parts[0]
    for part in parts[1:]:
        if part.crs != first.crs and not CRS.from_wkt(part.crs).equals(CRS.from_wkt(first.crs)):
            other, one = (CRS.from_wkt(each.crs).name for each in (part, first))
            raise InputError(f"{part.path}: CRS {other}, {first.path}: {one}; {cure}")


def check_same_bands(parts: Sequence[Member], cure: str) -> None:
    """Refuse files whose bands differ in number, dtype, nodata or alpha.

    Raises InputError, which names two files.
    """
    first = parts[0]
    for part in parts[1:]:
        _compare(part, "bands", len(part.bands), (first, len(first.bands)), cure)
        _compare(part, "alpha band", part.alpha, (first, first.alpha), cure)
        for number, (band, like) in enumerate(zip(part.bands, first.bands, strict=True), start=1):
            of = f" of band {number}" if len(first.bands) > 1 else ""
            _compare(part, "type", f"{band.dtype}{of}", (first, f"{like.dtype}{of}"), cure)
            _compare(
                part,
                "nodata",
                f"{_nodata_text(band)}{of}",
                (first, f"{_nodata_text(like)}{of}"),
                cure,
            )


def _nodata_text(band: BandInfo) -> str:
    """A nodata value as text, so that NaN equals NaN."""
    return "None" if band.nodata is None else f"{band.nodata:.17g}"


def _compare(part: Member, what: str, has: Any, other: tuple[Member, Any], cure: str) -> None:
    first, wanted = other
    if has != wanted:
        raise InputError(f"{part.path}: {what} {has}, {first.path}: {wanted}; {cure}")


def earliest_date(parts: Sequence[Member]) -> Acquisition | None:
    """The earliest date of all files that have one."""
    return min(
        (part.acquired for part in parts if part.acquired), key=lambda a: a.when, default=None
    )
